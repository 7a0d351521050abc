"""Whether a judge is down as a whole, which no single failed call can tell."""

import asyncio
from typing import Final

from tailwatch.outcome import Failed, FailureKind
from tailwatch.protocols import Judge, JudgeQuestion

DOWN: Final = frozenset(
    {
        FailureKind.UNAVAILABLE,
        FailureKind.TIMEOUT,
        FailureKind.AUTH,
        FailureKind.RATE_LIMITED,
        FailureKind.BAD_REQUEST,
    }
)
"""Failures that a question as plain as ours has only where every other would fail too. An answer of
any kind, be it refused, cut off or malformed, comes from a judge that is there."""

_QUESTION: Final = JudgeQuestion(
    instructions="This checks that you can be reached. Choose `yes`.",
    material="Can you be reached?",
    choices=("yes", "no"),
    max_output_tokens=60,
    rubric="probe",
    version="1",
)


async def why_down(judge: Judge, *, pause_s: float = 10.0) -> Failed | None:
    """Why the judge can answer nothing now; None where it can.

    It is asked up to twice, `pause_s` apart, and tries each time as often as with any question: a
    restart or a lost connection is not taken for an outage.
    """
    if await _failure(judge) is None:
        return None
    await asyncio.sleep(pause_s)
    return await _failure(judge)


async def _failure(judge: Judge) -> Failed | None:
    answer = await judge.ask(_QUESTION)
    return answer if isinstance(answer, Failed) and answer.error_type in DOWN else None

"""What each call to a judge leaves behind: money set aside before it, settled after it, a verdict.

A call is in the ledger before it is made, so that whatever crashes the money of it is known. Its
verdict is written in the same transaction that settles it, so that what was paid for is not paid
for again, even if the run dies before it records the evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tailwatch.outcome import Usage
from tailwatch.protocols import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One attempt to ask a judge, before it is made. `worst_case_usd` is the most it can cost.

    `question_key` stands for the rubric, its version, the judge model and the exact rendered input.
    """

    call_id: str
    run_id: str
    question_key: str
    evaluator: str
    version: str
    judge: str
    worst_case_usd: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCall:
    """How a call ended: `usage.cost_usd` is what it took (0 where it cannot have been charged), and
    `verdict` what it answered, if that was a verdict.
    """

    call_id: str
    at: datetime
    usage: Usage
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What may be spent, in USD, each a hard limit on what is settled and reserved together.

    `run_usd` counts the calls of one run, `day_usd` those of one UTC day over all runs, and
    `evaluator_usd` those that one run makes for the evaluator of that name.
    """

    run_usd: float
    day_usd: float | None = None
    evaluator_usd: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVerdict:
    """A verdict that was paid for earlier, and when."""

    verdict: Verdict
    at: datetime


class CallLedger(Protocol):
    """The books of all judge calls, as the store keeps them: many calls in one transaction.

    Safe for several threads, processes and machines at once. Each method may raise
    StoreUnavailableError; repeating it with the same calls changes nothing.
    """

    def reserve_calls(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[bool]:
        """For each call, in order, whether every cap that concerns it covers its worst case; where
        it does, the money is set aside.
        """
        ...

    def settle_calls(self, calls: Sequence[SettledCall]) -> None:
        """Books what the calls took in place of what was set aside, and keeps their verdicts."""
        ...

    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        """The newest verdict for each of the keys that has one from `since` on."""
        ...

"""The money and the verdicts of one run's judge calls, as its tasks use them."""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from evaluators.clients.group_commit import PACE_S, GroupCommit
from evaluators.clients.refusals import Refusals
from tailwatch.caps import dollars, trillionths, utc_day
from tailwatch.judge_calls import (
    CallLedger,
    Caps,
    JudgeCall,
    KnownVerdict,
    ReusedVerdicts,
    SettledCall,
    question_key,
)
from tailwatch.outcome import Usage
from tailwatch.protocols import JudgeQuestion, Verdict

_NEVER_MADE = Usage(cost_usd=0.0)
_Reuse = tuple[datetime, str, str, str, str]
"""What reused verdicts are counted by: the UTC day, run, rubric, its version and the model."""


class RunLedger:
    """Reserves before a call, settles after it, and knows what was paid for before.

    Use it inside one event loop, and close it: then what is still to be booked is booked. The calls
    belong to the run that `begin` names, or to an id of their own before that.
    """

    def __init__(
        self,
        ledger: CallLedger,
        caps: Caps,
        *,
        clock: Callable[[], datetime],
        pace_s: float = PACE_S,
    ) -> None:
        self.caps = caps
        self.clock = clock
        self.run_id = uuid.uuid4().hex
        self._ledger = ledger
        self._books = GroupCommit(ledger, caps, pace_s)
        self._refusals = Refusals(ledger, caps)
        self._process, self._prefix, self._numbers = 0, "", count()
        self._spent = 0
        self._settled = asyncio.Event()
        self._counter = uuid.uuid4().hex
        self._reused: Counter[_Reuse] = Counter()

    @property
    def spent_usd(self) -> float:
        """What was settled so far, in all runs of this ledger."""
        return dollars(self._spent)

    def begin(self, run_id: str) -> None:
        """From now on the calls are that run's."""
        self.run_id = run_id

    async def reserve(
        self, question: JudgeQuestion, model: str, *, worst_case_usd: float, longest: timedelta
    ) -> JudgeCall | None:
        """A call whose worst case is set aside, to be settled within `longest`; None where the caps
        do not cover it, not even when the open calls are settled that were asked here.

        It takes some milliseconds, which calls share: ask before you wait for a place to call from.
        Raises StoreUnavailableError, and then nothing may be called.
        """
        trillionths(worst_case_usd)
        while True:
            now = self.clock()
            call = JudgeCall(
                call_id=self._call_id(),
                run_id=self.run_id,
                question_key=question_key(model, question),
                evaluator=question.rubric,
                version=question.version,
                judge=model,
                worst_case_usd=worst_case_usd,
                at=now,
                open_until=now + longest,
            )
            if await self._reserved(call):
                return call
            if not self._books.open:
                return None
            self._settled.clear()
            await self._settled.wait()

    def _call_id(self) -> str:
        """32 hexadecimal digits, in order: a random number for each is slower, and so is a table
        whose new rows have no place of their own.
        """
        process = os.getpid()
        if process != self._process:  # also in a copy of this process
            self._process, self._prefix = process, uuid.uuid4().hex[:24]
            self._numbers = count()
        return f"{self._prefix}{next(self._numbers):08x}"

    async def _reserved(self, call: JudgeCall) -> bool:
        answer = self._books.reserve(call)
        try:
            return await answer
        except asyncio.CancelledError:
            if _granted(answer):
                self.settle(call, _NEVER_MADE)
            raise

    async def why_refused(
        self, question: JudgeQuestion, model: str, *, worst_case_usd: float
    ) -> str:
        """Which cap does not cover such a call, in a sentence."""
        call = JudgeCall(
            call_id=uuid.uuid4().hex,
            run_id=self.run_id,
            question_key="",
            evaluator=question.rubric,
            version=question.version,
            judge=model,
            worst_case_usd=worst_case_usd,
            at=self.clock(),
        )
        return await self._refusals.why(call)

    def settle(
        self, call: JudgeCall, usage: Usage, verdict: Verdict | None = None
    ) -> "asyncio.Future[bool]":
        """Books what the call took, with its verdict, and says whether that could be written; if
        not, the call is lost and counts at its worst case. It is written also if nobody waits.
        """
        cost = call.worst_case_usd if usage.cost_usd is None else usage.cost_usd
        self._spent += trillionths(cost)
        booked = self._books.settle(
            SettledCall(call_id=call.call_id, at=self.clock(), usage=usage, verdict=verdict)
        )
        booked.add_done_callback(self._after)
        return booked

    async def known(self, key: str, since: datetime) -> KnownVerdict | None:
        """The newest verdict on the question with that key, if there is one from `since` on."""
        return await self._books.look_up(key, since)

    def count_reused(self, question: JudgeQuestion, model: str) -> None:
        """Notes that a question was not paid for."""
        key = (utc_day(self.clock()), self.run_id, question.rubric, question.version, model)
        self._reused[key] += 1
        self._books.note_reused(key, self._count(key))

    async def close(self) -> None:
        """Books what is not booked yet."""
        await self._books.finish()
        if self._reused:  # once more, for a transaction of theirs may have failed
            counts = list(map(self._count, self._reused))
            await asyncio.to_thread(self._ledger.count_reused, counts)

    def _count(self, key: _Reuse) -> ReusedVerdicts:
        day, run_id, evaluator, version, judge = key
        return ReusedVerdicts(
            counter=self._counter,
            day=day,
            run_id=run_id,
            evaluator=evaluator,
            version=version,
            judge=judge,
            verdicts=self._reused[key],
        )

    def _after(self, _booked: "asyncio.Future[bool]") -> None:
        self._settled.set()


def _granted(answer: "asyncio.Future[bool]") -> bool:
    """Whether the money was set aside before the answer could be heard."""
    return (
        answer.done() and not answer.cancelled() and answer.exception() is None and answer.result()
    )

"""A judge that is not asked, or paid, twice for the same verdict."""

import asyncio
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from evaluators.clients.run_ledger import RunLedger
from tailwatch.judge_calls import KnownVerdict, question_key
from tailwatch.outcome import Failed, Skipped, Usage
from tailwatch.protocols import Judge, JudgeQuestion, Verdict

Answer = Verdict | Failed | Skipped

_FREE = Usage(cost_usd=0.0)
_REMEMBERED = 20_000


class RememberingJudge:
    """Asks `judge` what was not asked yet: in this run, or in the ledger as long ago as `reuse`.

    Equal questions that are asked at the same time are asked once. What is used again is free, says
    from when it is (`reused_from`), and is counted in the ledger. A `reuse` of zero asks again what
    earlier runs asked.
    """

    def __init__(self, judge: Judge, ledger: RunLedger, reuse: timedelta) -> None:
        self._judge = judge
        self._reuse = reuse
        self._horizon = reuse
        self._ledger = ledger
        self._asking: dict[str, asyncio.Future[Answer | None]] = {}
        self._answered: OrderedDict[str, KnownVerdict] = OrderedDict()

    @property
    def model(self) -> str:
        return self._judge.model

    def begin(self, *, ask_again: bool) -> None:
        """Starts a run: it reuses nothing that was asked before it if it is to `ask_again`."""
        self._horizon = timedelta(0) if ask_again else self._reuse
        self._answered.clear()

    @property
    def in_hand(self) -> int:
        """How many questions it can use at a time."""
        return getattr(self._judge, "in_hand", 64)

    async def close(self) -> None:
        """Closes the judge."""
        await self._judge.close()

    async def ask(self, question: JudgeQuestion) -> Answer:
        """The verdict, a new one or one that was paid for before; else what the judge said."""
        key = question_key(self.model, question)
        while key in self._asking:
            # shielded: who is cancelled here does not cancel it for the others
            answer = await asyncio.shield(self._asking[key])
            if answer is not None:
                return self._again(question, answer, self._ledger.clock())
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        answer = None
        try:
            known = await self._known(key)
            if known is not None:
                answer = self._again(question, known.verdict, known.at)
            else:
                answer = await self._judge.ask(question)
            if isinstance(answer, Verdict):
                self._remember(key, answer)
            return answer
        finally:
            del self._asking[key]
            asking.set_result(answer)

    async def _known(self, key: str) -> KnownVerdict | None:
        if key in self._answered or not self._horizon:
            return self._answered.get(key)
        return await self._ledger.known(key, self._ledger.clock() - self._horizon)

    def _remember(self, key: str, verdict: Verdict) -> None:
        at = verdict.reused_from or self._ledger.clock()
        self._answered[key] = KnownVerdict(verdict=verdict, at=at)
        self._answered.move_to_end(key)
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    def _again(self, question: JudgeQuestion, answer: Answer, at: datetime) -> Answer:
        """The answer for one more who asked: nobody pays for it again."""
        if isinstance(answer, Skipped):
            return answer
        if isinstance(answer, Failed):
            return replace(answer, usage=_FREE)
        self._ledger.count_reused(question, self.model)
        return replace(answer, usage=_FREE, reused_from=answer.reused_from or at)

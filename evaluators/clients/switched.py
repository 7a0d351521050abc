"""A judge that can be taken out of service for a run."""

from dataclasses import replace

from tailwatch.outcome import NO_USAGE, Failed, Skipped
from tailwatch.protocols import Judge, JudgeQuestion, Verdict


class SwitchedJudge:
    """Asks `judge` until it is switched off: from then on each question has failed already.

    Its failures may pass, so that a later run, in which the judge is there again, asks them.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._failure: Failed | None = None

    @property
    def model(self) -> str:
        return self._judge.model

    @property
    def in_hand(self) -> int:
        """How many questions it can use at a time."""
        return getattr(self._judge, "in_hand", 64)

    def switch_off(self, failure: Failed) -> None:
        """Fails every question from now on as the one that `failure` came of, for nothing."""
        self._failure = replace(failure, retryable=True, usage=NO_USAGE)

    def switch_on(self) -> None:
        """Asks again."""
        self._failure = None

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        """What the judge says, or the failure that stands for all."""
        if self._failure is not None:
            return self._failure
        return await self._judge.ask(question)

    async def close(self) -> None:
        """Closes the judge."""
        await self._judge.close()

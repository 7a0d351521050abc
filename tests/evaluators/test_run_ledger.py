"""What tasks share: transactions, the wait for money, and verdicts that are paid for once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from evaluators.clients.memory_ledger import MemoryLedger
from evaluators.clients.remembered import RememberingJudge
from evaluators.clients.run_ledger import RunLedger
from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import Caps, JudgeCall, KnownVerdict, SettledCall
from tailwatch.outcome import Failed, Skipped, Usage
from tailwatch.protocols import JudgeQuestion, Verdict

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONGEST = timedelta(minutes=1)
DAY = timedelta(days=1)
ResultT = TypeVar("ResultT")


class CountingLedger(MemoryLedger):
    """Counts its transactions; the next `outage` of them find no store."""

    def __init__(self, outage: int = 0) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.outage = outage

    def reserve_calls(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[bool]:
        self._answer()
        self.sizes.append(len(calls))
        return super().reserve_calls(calls, caps)

    def settle_calls(self, calls: Sequence[SettledCall]) -> None:
        self._answer()
        super().settle_calls(calls)

    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        self._answer()
        return super().known_verdicts(question_keys, since)

    def _answer(self) -> None:
        if self.outage:
            self.outage -= 1
            raise StoreUnavailableError("locked")


def question(material: str = "m", sample: int = 0) -> JudgeQuestion:
    return JudgeQuestion(
        instructions="i",
        material=material,
        choices=("yes", "no"),
        rubric="faithfulness",
        version="1",
        sample=sample,
    )


def run(
    work: Callable[[RunLedger], Awaitable[ResultT]], books: MemoryLedger, cap: float = 1.0
) -> ResultT:
    async def main() -> ResultT:
        ledger = RunLedger(books, Caps(run_usd=cap), clock=lambda: NOON, pace_s=0.001)
        try:
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(main())


async def reserved(ledger: RunLedger, worst: float = 0.1) -> JudgeCall | None:
    return await ledger.reserve(question(), "small", worst_case_usd=worst, longest=LONGEST)


def test_calls_that_wait_together_share_a_transaction() -> None:
    async def work(ledger: RunLedger) -> int:
        calls = await asyncio.gather(*(reserved(ledger, 0.001) for _ in range(100)))
        booked = [ledger.settle(call, Usage(cost_usd=0.0)) for call in calls if call is not None]
        return sum(await asyncio.gather(*booked))

    books = CountingLedger()
    assert run(work, books) == 100
    assert sum(books.sizes) == 100
    assert len(books.sizes) <= 2
    assert books.open == {}
    assert set(books.taken.values()) == {0}


def test_who_is_not_covered_waits_for_the_calls_that_are_open() -> None:
    async def work(ledger: RunLedger) -> list[JudgeCall | None]:
        first = await reserved(ledger, 0.9)
        assert first is not None
        second = asyncio.create_task(reserved(ledger, 0.5))
        await asyncio.sleep(0.02)
        assert not second.done()
        ledger.settle(first, Usage(cost_usd=0.1))
        return [await second, await reserved(ledger, 0.9)]

    async def alone(ledger: RunLedger) -> JudgeCall | None:
        return await reserved(ledger, 1.1)

    # nobody settles the second call, so the third would wait for it for ever
    with pytest.raises(TimeoutError):
        run(lambda ledger: asyncio.wait_for(work(ledger), 0.2), MemoryLedger())
    assert run(alone, MemoryLedger()) is None


@pytest.mark.parametrize("yields", range(6))
def test_who_is_cancelled_before_the_answer_pays_nothing(yields: int) -> None:
    async def work(ledger: RunLedger) -> None:
        asked = asyncio.create_task(reserved(ledger))
        for _ in range(yields):
            await asyncio.sleep(0.0005)
        asked.cancel()
        try:
            call = await asked
        except asyncio.CancelledError:
            return
        assert call is not None
        ledger.settle(call, Usage(cost_usd=0.0))

    books = MemoryLedger()
    run(work, books)
    assert books.open == {}
    assert set(books.taken.values()) <= {0}


def test_a_store_that_is_away_for_a_moment_is_asked_again_and_nothing_is_booked_twice() -> None:
    async def work(ledger: RunLedger) -> bool:
        call = await reserved(ledger)
        assert call is not None
        return await ledger.settle(call, Usage(cost_usd=0.05))

    books = CountingLedger(outage=2)
    assert run(work, books)
    assert set(books.taken.values()) == {50_000_000_000}


def test_without_a_store_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.clients.group_commit._TRY_AGAIN_AFTER_S", (0.001, 0.001))

    async def no_answer(ledger: RunLedger) -> None:
        with pytest.raises(StoreUnavailableError):
            await reserved(ledger)

    run(no_answer, CountingLedger(outage=99))

    async def gone(ledger: RunLedger) -> bool:
        call = await reserved(ledger)
        assert call is not None
        books.outage = 99
        return await ledger.settle(call, Usage(cost_usd=0.05))

    books = CountingLedger()
    assert run(gone, books) is False
    assert len(books.open) == 1


class CountedJudge:
    """Says no, each time for a dime; a question about `refused` fails, one about `raise` raises."""

    model = "small"

    def __init__(self, ledger: RunLedger) -> None:
        self.ledger = ledger
        self.asked: list[JudgeQuestion] = []

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        self.asked.append(question)
        call = await reserved_for(self.ledger, question)
        usage = Usage(cost_usd=0.1)
        await asyncio.sleep(0.005)
        if question.material == "raise":
            raise RuntimeError("surprise")
        if question.material == "refused":
            await self.ledger.settle(call, usage)
            return Failed(error_type="refused", message="no", usage=usage)
        verdict = Verdict(choice="no", explanation="because", usage=usage)
        await self.ledger.settle(call, usage, verdict)
        return verdict

    async def close(self) -> None:
        """Nothing to close."""


async def reserved_for(ledger: RunLedger, question: JudgeQuestion) -> JudgeCall:
    call = await ledger.reserve(question, "small", worst_case_usd=0.1, longest=LONGEST)
    assert call is not None
    return call


def asked(
    questions: Sequence[JudgeQuestion],
    books: MemoryLedger,
    *,
    reuse: timedelta = DAY,
    ask_again: bool = False,
    together: bool = True,
) -> tuple[list[Verdict | Failed | Skipped | BaseException], int]:
    """What became of the questions in one run, and how many reached the judge."""

    async def work(
        ledger: RunLedger,
    ) -> tuple[list[Verdict | Failed | Skipped | BaseException], int]:
        counted = CountedJudge(ledger)
        judge = RememberingJudge(counted, ledger, reuse)
        judge.begin(ask_again=ask_again)
        if together:
            answers = await asyncio.gather(*map(judge.ask, questions), return_exceptions=True)
        else:
            answers = [await judge.ask(each) for each in questions]
        return list(answers), len(counted.asked)

    return run(work, books, cap=100.0)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("reuse", [DAY, timedelta(0)])
def test_equal_questions_of_a_run_are_asked_and_paid_once(together: bool, reuse: timedelta) -> None:
    books = MemoryLedger()
    answers, calls = asked(
        [question(), question(), question("other"), question(sample=1), question()],
        books,
        together=together,
        reuse=reuse,
    )
    assert calls == 3
    verdicts = [answer for answer in answers if isinstance(answer, Verdict)]
    assert [v.usage.cost_usd for v in verdicts] == [0.1, 0.0, 0.1, 0.1, 0.0]
    assert [v.reused_from for v in verdicts] == [None, NOON, None, None, NOON]
    assert {v.explanation for v in verdicts} == {"because"}
    assert list(books.reused.values()) == [2]


def test_reuse_is_in_the_books_before_the_run_ends() -> None:
    async def work(ledger: RunLedger) -> list[int]:
        counts: list[int] = []
        for _ in range(2):
            ledger.count_reused(question(), "small")
            await ledger.known("nothing", NOON)
            counts += books.reused.values()
        return counts

    books = MemoryLedger()
    assert run(work, books) == [1, 2]


def test_what_an_earlier_run_paid_for_is_used_again_unless_it_is_to_be_asked_again() -> None:
    books = MemoryLedger()
    assert asked([question()], books)[1] == 1
    (again,), calls = asked([question()], books)
    assert calls == 0
    assert isinstance(again, Verdict)
    assert (again.usage, again.reused_from) == (Usage(cost_usd=0.0), NOON)
    assert asked([question(), question()], books, ask_again=True)[1] == 1
    assert asked([question()], books, reuse=timedelta(0))[1] == 1


def test_a_failure_is_shared_by_those_who_asked_together_and_paid_once() -> None:
    answers, calls = asked([question("refused")] * 3, MemoryLedger())
    assert calls == 1
    assert [a.usage.cost_usd for a in answers if isinstance(a, Failed)] == [0.1, 0.0, 0.0]
    assert asked([question("refused")] * 2, MemoryLedger(), together=False)[1] == 2


def test_a_judge_that_raises_does_so_to_everyone_and_leaves_nobody_waiting() -> None:
    answers, calls = asked([question("raise")] * 3, MemoryLedger())
    assert [type(answer) for answer in answers] == [RuntimeError] * 3
    assert calls == 3


def test_who_asked_first_may_be_cancelled_without_the_others() -> None:
    async def work(ledger: RunLedger) -> Verdict | Failed | Skipped:
        judge = RememberingJudge(CountedJudge(ledger), ledger, DAY)
        first, second, third = (asyncio.create_task(judge.ask(question())) for _ in range(3))
        await asyncio.sleep(0.003)
        first.cancel()
        second.cancel()
        return await third

    answer = run(work, MemoryLedger())
    assert isinstance(answer, Verdict)
    assert replace(answer, usage=Usage()).choice == "no"

"""Many tasks learn together why their calls were left out."""

import asyncio
import threading
from collections.abc import Sequence

from evaluators.clients.memory_ledger import MemoryLedger
from evaluators.clients.refusals import UNKNOWN, Refusals
from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import Caps, JudgeCall
from tests.evaluators.test_run_ledger import NOON

CAPS = Caps(run_usd=0.1, evaluator_usd={"refusal": 0.05})


class SlowLedger(MemoryLedger):
    """Counts how often it is asked, and answers once it is let."""

    def __init__(self, outages: int = 0) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.outages = outages
        self.let = threading.Event()

    def refusals(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[str]:
        self.let.wait(timeout=60)
        self.sizes.append(len(calls))
        if len(self.sizes) <= self.outages:
            raise StoreUnavailableError("locked")
        return super().refusals(calls, caps)


def left_out(name: str, evaluator: str = "faithfulness") -> JudgeCall:
    return JudgeCall(
        call_id=name,
        run_id="r",
        question_key="k",
        evaluator=evaluator,
        version="1",
        judge="j",
        worst_case_usd=0.2 if evaluator == "faithfulness" else 0.08,
        at=NOON,
    )


def answers(ledger: SlowLedger, *, cancelled: int = 0) -> list[str]:
    """What fifty tasks hear, every other one about another rubric; the first few are cancelled."""
    names = ("faithfulness", "refusal")

    async def ask() -> list[str]:
        refusals = Refusals(ledger, CAPS)
        calls = [left_out(f"c{n}", names[n % 2]) for n in range(50)]
        tasks = [asyncio.create_task(refusals.why(call)) for call in calls]
        await asyncio.sleep(0)
        for task in tasks[:cancelled]:
            task.cancel()
        ledger.let.set()
        said = await asyncio.gather(*tasks, return_exceptions=True)
        return [each for each in said if isinstance(each, str)]

    return asyncio.run(ask())


def test_those_that_ask_together_are_answered_together_each_with_its_own_cap() -> None:
    ledger = SlowLedger()
    said = answers(ledger)
    assert [each.partition(" ")[0] for each in said] == [
        "judge.max_cost_usd",
        "judge.max_cost_usd_of.refusal",
    ] * 25
    assert (len(ledger.sizes), sum(ledger.sizes)) == (2, 50)


def test_one_that_is_cancelled_leaves_the_others_their_answers() -> None:
    said = answers(SlowLedger(), cancelled=3)
    assert len(said) == 47
    assert not any(each == UNKNOWN for each in said)


def test_a_store_that_does_not_answer_costs_the_name_of_the_cap_alone() -> None:
    ledger = SlowLedger(outages=2)
    assert set(answers(ledger)) == {UNKNOWN}

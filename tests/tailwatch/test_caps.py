"""The arithmetic of the caps: what is covered, counted exactly."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.clients.memory_ledger import MemoryLedger
from tailwatch.caps import Account, covered, refusal, trillionths
from tailwatch.judge_calls import Caps, JudgeCall, SettledCall, question_key
from tailwatch.outcome import Usage
from tailwatch.protocols import JudgeQuestion

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AMOUNTS = st.floats(0, 0.3)
CALLS = st.builds(
    JudgeCall,
    call_id=st.uuids().map(str),
    run_id=st.sampled_from(["r", "s"]),
    question_key=st.just("k"),
    evaluator=st.sampled_from(["e", "f"]),
    version=st.just("1"),
    judge=st.just("j"),
    worst_case_usd=AMOUNTS,
    at=st.sampled_from([NOON, NOON + timedelta(days=1)]),
)
CAPS = st.builds(
    Caps,
    run_usd=st.floats(0, 2),
    day_usd=st.none() | st.floats(0, 2),
    evaluator_usd=st.dictionaries(st.sampled_from(["e", "f"]), st.floats(0, 1)),
)


def sums(calls: list[JudgeCall], amounts: dict[str, float]) -> dict[Account, Fraction]:
    """What each account must hold, computed apart from it."""
    found: dict[Account, Fraction] = {}
    for call in calls:
        for account in (
            Account("run", call.run_id),
            Account("day", call.at.date().isoformat()),
            Account("evaluator", f"{call.run_id}/{call.evaluator}"),
        ):
            amount = Fraction(trillionths(amounts[call.call_id]))
            found[account] = found.get(account, Fraction(0)) + amount
    return found


def limits(caps: Caps, account: Account) -> float | None:
    if account.scope == "run":
        return caps.run_usd
    if account.scope == "day":
        return caps.day_usd
    return caps.evaluator_usd.get(account.name.partition("/")[2])


def assert_within(caps: Caps, held: dict[Account, Fraction]) -> None:
    for account, amount in held.items():
        limit = limits(caps, account)
        assert limit is None or amount <= Fraction(limit) * 10**12


@given(caps=CAPS, batches=st.lists(st.lists(CALLS, max_size=5), max_size=4), data=st.data())
def test_settled_and_reserved_never_exceed_a_cap_and_every_sum_is_exact(
    caps: Caps, batches: list[list[JudgeCall]], data: st.DataObject
) -> None:
    ledger = MemoryLedger()
    booked: list[JudgeCall] = []
    amounts: dict[str, float] = {}
    for batch in batches:
        answers = ledger.reserve_calls(batch, caps)
        again = [call for call, ok in zip(batch, answers, strict=True) if ok]
        assert all(ledger.reserve_calls(again, caps))
        booked += [call for call, ok in zip(batch, answers, strict=True) if ok]
        amounts |= {c.call_id: c.worst_case_usd for c in booked if c.call_id not in amounts}
        assert_within(caps, sums(booked, amounts))
        for call in booked:
            if call.call_id in ledger.open and data.draw(st.booleans()):
                amounts[call.call_id] = call.worst_case_usd * data.draw(st.floats(0, 1))
                usage = Usage(cost_usd=amounts[call.call_id])
                ended = SettledCall(call_id=call.call_id, at=NOON, usage=usage)
                ledger.settle_calls([ended, ended])
        held = {account: amount for account, amount in ledger.taken.items() if amount}
        assert held == {a: amount for a, amount in sums(booked, amounts).items() if amount}


@given(caps=CAPS, calls=st.lists(CALLS, max_size=10))
def test_what_is_not_covered_would_have_broken_a_cap(caps: Caps, calls: list[JudgeCall]) -> None:
    amounts = {call.call_id: call.worst_case_usd for call in calls}
    taken: dict[Account, int] = {}
    booked: list[JudgeCall] = []
    for call, is_covered in zip(calls, covered(calls, caps, taken), strict=True):
        with_it = sums([*booked, call], amounts)
        broken = any(
            limit is not None and amount > Fraction(limit) * 10**12
            for account, amount in with_it.items()
            if (limit := limits(caps, account)) is not None and account in sums([call], amounts)
        )
        assert is_covered is not broken
        booked += [call] if is_covered else []


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf")])
def test_impossible_amounts_are_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="no amount"):
        trillionths(amount)


def test_every_part_of_a_question_is_in_its_key() -> None:
    question = JudgeQuestion(instructions="i", material="m\ud800", choices=("a", "b"))
    others = [
        JudgeQuestion(instructions="j", material="m\ud800", choices=("a", "b")),
        JudgeQuestion(instructions="i", material="n", choices=("a", "b")),
        JudgeQuestion(instructions="i", material="m\ud800", choices=("a", "c")),
        JudgeQuestion(instructions="i", material="m\ud800", choices=("a", "b"), rubric="r"),
        JudgeQuestion(instructions="i", material="m\ud800", choices=("a", "b"), version="2"),
        JudgeQuestion(instructions="i", material="m\ud800", choices=("a", "b"), sample=1),
        JudgeQuestion(
            instructions="i", material="m\ud800", choices=("a", "b"), max_output_tokens=1
        ),
    ]
    keys = {question_key("small", each) for each in [question, *others]}
    keys.add(question_key("large", question))
    assert len(keys) == len(others) + 2
    assert question_key("small", question) in keys


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        (Caps(run_usd=0.012), "judge.max_cost_usd (0.012 USD for a run) does not cover"),
        (
            Caps(run_usd=9, day_usd=20),
            "judge.max_cost_usd_per_day (20.00 USD for a UTC day) does not cover",
        ),
        (
            Caps(run_usd=9, evaluator_usd={"faithfulness": 0.5}),
            "judge.max_cost_usd_of.faithfulness (0.50 USD for the rubric in a run) does not cover",
        ),
        (Caps(run_usd=9), "the caps under `judge` did not cover"),
    ],
)
def test_a_refusal_names_the_cap_as_the_plan_does_and_how_much_it_is(caps: Caps, said: str) -> None:
    taken = {Account("day", "2026-03-02"): trillionths(19.9)}
    taken[Account("evaluator", "r/faithfulness")] = trillionths(0.45)
    call = JudgeCall(
        call_id="c",
        run_id="r",
        question_key="k",
        evaluator="faithfulness",
        version="1",
        judge="small",
        worst_case_usd=0.2,
        at=NOON,
    )
    assert refusal(call, caps, taken) == f"{said} another call"
    assert covered([call], caps, taken) == [said.startswith("the caps")]

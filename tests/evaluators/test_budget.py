import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.clients.budget import RunBudget

CALLS = st.lists(
    st.tuples(st.floats(0, 0.3), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=40
)


@given(cap=st.floats(0, 1), calls=CALLS)
def test_spent_and_reserved_never_exceed_the_cap(
    cap: float, calls: list[tuple[float, float, int]]
) -> None:
    budget = RunBudget(cap)
    booked: list[float] = []

    async def call(worst: float, share: float, turns: int) -> None:
        if not budget.reserve(worst):
            assert budget.spent_usd + budget.reserved_usd + worst > cap - 1e-11
            return
        for _ in range(turns):
            await asyncio.sleep(0)
            assert budget.spent_usd + budget.reserved_usd <= cap + 1e-12
        budget.settle(worst, worst * share)
        booked.append(worst * share)
        assert budget.spent_usd + budget.reserved_usd <= cap + 1e-12

    async def run() -> None:
        await asyncio.gather(*(call(*each) for each in calls))

    asyncio.run(run())
    assert budget.reserved_usd == 0
    assert budget.spent_usd == pytest.approx(sum(booked), abs=1e-10)


def test_the_last_cent_can_be_spent_and_no_more() -> None:
    budget = RunBudget(0.3)
    assert [budget.reserve(0.1) for _ in range(4)] == [True, True, True, False]
    budget.settle(0.1, 0.04)
    assert not budget.reserve(0.07)
    assert budget.reserve(0.06)


def test_a_call_dearer_than_its_reservation_is_booked_in_full() -> None:
    budget = RunBudget(1)
    assert budget.reserve(0.5)
    budget.settle(0.5, 0.9)
    assert budget.spent_usd == pytest.approx(0.9)
    assert not budget.reserve(0.2)


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf")])
def test_impossible_amounts_are_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="finite amount"):
        RunBudget(amount)
    with pytest.raises(ValueError, match="finite amount"):
        RunBudget(1).reserve(amount)

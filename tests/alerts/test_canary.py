"""Did the judge move: the test's level and power, the truth table, and when alerts are held."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from alerts.canary import (
    ALPHA,
    RULE,
    Cause,
    Compared,
    Hold,
    Share,
    Shift,
    cause,
    finding,
    flipped,
    holds,
    shift,
)
from tailwatch.alert import Direction, FindingStatus
from tailwatch.evaluation import Series
from tests.builders import START

HIGHER, LOWER = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
SERIES = Series(evaluator="faithfulness", version="1", judge="judge-small")
MOVED, STILL = Shift(pairs=200, better=13, worse=1), Shift(pairs=200, better=3, worse=2)
SCORES = (0.0, 0.3, 0.7, 1.0)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def judged(truth: dict[str, float], noise: float, chance: random.Random) -> dict[str, float]:
    """A run of a judge that says something else than usual with probability `noise`."""
    return {
        item: chance.choice([s for s in SCORES if s != usual]) if chance.random() < noise else usual
        for item, usual in truth.items()
    }


@pytest.mark.parametrize(
    ("reference", "current", "direction", "found"),
    [
        ({}, {}, HIGHER, (0, 0, 0)),
        ({"a": 0.0, "b": 1.0, "c": 0.3}, {"a": 1.0, "b": 0.7, "c": 0.3}, HIGHER, (3, 1, 1)),
        ({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}, LOWER, (2, 0, 2)),
        ({"a": 0.0, "gone": 1.0}, {"a": 0.0, "new": 1.0}, HIGHER, (1, 0, 0)),
    ],
)
def test_a_shift_counts_what_both_runs_scored(
    reference: dict[str, float],
    current: dict[str, float],
    direction: Direction,
    found: tuple[int, int, int],
) -> None:
    counted = shift(reference, current, direction)
    assert (counted.pairs, counted.better, counted.worse) == found


@given(better=st.integers(0, 60), worse=st.integers(0, 60))
def test_the_p_value_is_twice_the_smaller_binomial_tail(better: int, worse: int) -> None:
    found = Shift(pairs=200, better=better, worse=worse)
    tail = float(binom.cdf(min(better, worse), better + worse, 0.5))
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))
    assert found.p_value == Shift(pairs=200, better=worse, worse=better).p_value


@pytest.mark.parametrize(("better", "moved"), [(7, False), (8, True)])
def test_eight_changes_in_one_direction_are_the_fewest_that_count(better: int, moved: bool) -> None:
    assert Shift(pairs=200, better=better, worse=0).moved is moved


def test_a_judge_with_noise_is_said_to_have_moved_at_most_as_often_as_promised() -> None:
    chance = random.Random(11)
    alarms = runs = 0
    for _ in range(40):
        truth = {f"i{n}": chance.choice(SCORES) for n in range(200)}
        reference = judged(truth, 0.03, chance)
        for _ in range(25):
            runs += 1
            alarms += shift(reference, judged(truth, 0.03, chance), HIGHER).moved
    assert alarms / runs <= ALPHA


@pytest.mark.parametrize(("more_passes", "least"), [(0.2, 0.6), (0.4, 0.95)])
def test_a_judge_that_passes_more_of_the_bad_is_found(more_passes: float, least: float) -> None:
    chance = random.Random(12)
    found = 0
    for _ in range(100):
        truth = {f"i{n}": float(n % 2) for n in range(200)}
        lenient = {
            item: 1.0 if not usual and chance.random() < more_passes else usual
            for item, usual in truth.items()
        }
        before, after = judged(truth, 0.03, chance), judged(lenient, 0.03, chance)
        found += shift(before, after, HIGHER).moved
    assert found / 100 >= least


@pytest.mark.parametrize(
    ("judge_moved", "product_moved", "first"),
    [
        (True, True, Cause.JUDGE),
        (True, False, Cause.JUDGE),
        (False, True, Cause.PRODUCT),
        (False, False, Cause.NOTHING),
        (None, True, Cause.UNKNOWN),
        (None, False, Cause.NOTHING),
    ],
)
def test_what_is_looked_at_first(
    judge_moved: bool | None, product_moved: bool, first: Cause
) -> None:
    assert cause(judge_moved=judge_moved, product_moved=product_moved) is first


@pytest.mark.parametrize(
    ("probe", "twin", "asks", "found"),
    [
        (1.0, 0.0, 1.0, True),
        (0.3, 0.0, 1.0, True),  # half way there counts
        (0.0, 0.0, 1.0, False),
        (0.0, 0.3, 1.0, False),  # the other way does not
        (0.0, 1.0, 0.0, True),  # asked to fail a right answer
        (1.0, 1.0, 1.0, None),
        (0.0, 1.0, 1.0, None),
    ],
)
def test_an_injection_flips_what_it_moves_towards_its_wish(
    probe: float, twin: float, asks: float, found: bool | None
) -> None:
    assert flipped(probe, twin, asks) is found


def test_a_share_has_wilsons_limits() -> None:
    assert Share(count=0, n=0).value is None
    assert Share(count=0, n=0).limits is None
    limits = Share(count=3, n=50).limits
    assert limits is not None
    assert limits == pytest.approx((0.0206, 0.1622), abs=1e-4)


@pytest.mark.parametrize(
    ("compared", "accepted", "found"),
    [
        ([], [], []),
        ([(1, STILL)], [], []),
        ([(1, MOVED)], [], [(1, None)]),
        ([(1, MOVED), (2, MOVED)], [], [(1, None)]),
        ([(1, MOVED), (2, STILL)], [], [(1, 2)]),
        ([(1, MOVED)], [1.5], [(1, 1.5)]),
        ([(1, MOVED), (2, MOVED)], [1.5], [(1, 1.5), (2, None)]),
        ([(1, STILL)], [0.5, 1.5], []),
        ([(1, MOVED), (2, STILL), (3, MOVED)], [4], [(1, 2), (3, 4)]),
    ],
)
def test_when_alerts_are_held(
    compared: list[tuple[float, Shift]],
    accepted: list[float],
    found: list[tuple[float, float | None]],
) -> None:
    said = holds([Compared(at=day(at), shift=s) for at, s in compared], [day(a) for a in accepted])
    assert [(h.begin, h.end) for h in said] == [
        (day(begin), None if end is None else day(end)) for begin, end in found
    ]
    assert all(hold.found.shift.moved for hold in said)


def test_a_hold_names_the_newest_run_that_moved() -> None:
    newer = Compared(at=day(2), shift=Shift(pairs=200, better=30, worse=0))
    (hold,) = holds([Compared(at=day(1), shift=MOVED), newer], [])
    assert hold == Hold(begin=day(1), end=None, found=newer)


@pytest.mark.parametrize(
    ("found", "status"), [(MOVED, FindingStatus.BREACH), (STILL, FindingStatus.OK)]
)
def test_a_comparison_is_a_finding_about_the_judge(found: Shift, status: FindingStatus) -> None:
    said = finding(SERIES, Compared(at=day(1), shift=found), "the judge moved")
    assert (said.rule, said.series, said.status) == (RULE, SERIES, status)
    assert said.conclusive
    assert said.numbers["changed"] == found.changed

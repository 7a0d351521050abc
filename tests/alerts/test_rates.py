"""Corrected rates: they cover the truth, and say so when they cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from alerts.rates import (
    LEAST_LABELS,
    Confusion,
    Label,
    Method,
    correlation,
    labels_needed,
    rogan_gladen_rate,
    two_phase_rate,
    wilson,
)

labels_of = st.lists(
    st.builds(
        Label,
        judged_bad=st.booleans(),
        bad=st.booleans(),
        probability=st.sampled_from([0.02, 0.5, 1.0]),
    ),
    min_size=LEAST_LABELS,
    max_size=80,
)


def counted(labels: list[Label]) -> Confusion:
    def count(*, bad: bool, judged_bad: bool) -> int:
        return sum(x.bad is bad and x.judged_bad is judged_bad for x in labels)

    return Confusion(
        bad_judged_bad=count(bad=True, judged_bad=True),
        bad_judged_good=count(bad=True, judged_bad=False),
        good_judged_bad=count(bad=False, judged_bad=True),
        good_judged_good=count(bad=False, judged_bad=False),
    )


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 7), (7, 7), (40, 400)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    found = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((found.low, found.high), abs=1e-12)


def test_nothing_is_known_from_nothing() -> None:
    assert wilson(0, 0) == (0, 1)


def test_the_formula_by_hand() -> None:
    labels = [Label(judged_bad=True, bad=i < 12) for i in range(20)]
    labels += [Label(judged_bad=False, bad=i < 2) for i in range(40)]
    rate = two_phase_rate([True] * 100 + [False] * 900, labels)
    assert rate.value == pytest.approx(0.1 * 0.6 + 0.9 * 0.05)
    (l1, u1), (l0, u0) = wilson(12, 20), wilson(2, 40)
    mix = 1.959964**2 * 0.55**2 * 0.09 / 1000
    down = ((0.1 * (0.6 - l1)) ** 2 + (0.9 * (0.05 - l0)) ** 2 + mix) ** 0.5
    up = ((0.1 * (u1 - 0.6)) ** 2 + (0.9 * (u0 - 0.05)) ** 2 + mix) ** 0.5
    assert (rate.low, rate.high) == pytest.approx((0.105 - down, 0.105 + up), abs=1e-6)
    assert (rate.judged, rate.labels, rate.method) == (0.1, 60, Method.TWO_PHASE)


@settings(max_examples=40)
@given(labels=labels_of, more=st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_rate_lies_in_its_limits_and_they_in_0_to_1(
    labels: list[Label], more: list[bool]
) -> None:
    judged = [label.judged_bad for label in labels] + more
    for rate in (two_phase_rate(judged, labels), rogan_gladen_rate(judged, counted(labels))):
        if rate.value is None or rate.low is None or rate.high is None:
            assert rate.why
            assert rate.low is None is rate.high
        else:
            assert 0 <= rate.low <= rate.value <= rate.high <= 1


@settings(max_examples=40)
@given(labels=labels_of, more=st.lists(st.booleans(), max_size=50))
def test_only_the_ratio_of_chances_and_weights_counts(
    labels: list[Label], more: list[bool]
) -> None:
    judged = [label.judged_bad for label in labels] + more
    rarer = [
        Label(judged_bad=x.judged_bad, bad=x.bad, probability=x.probability / 4) for x in labels
    ]
    one, other = two_phase_rate(judged, labels), two_phase_rate(judged, rarer, [8.0] * len(judged))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@settings(max_examples=40)
@given(labels=labels_of)
def test_a_judge_that_is_never_wrong_leaves_only_sampling_error(labels: list[Label]) -> None:
    right = [Label(judged_bad=x.bad, bad=x.bad) for x in labels]
    judged = [x.bad for x in right]
    rate = two_phase_rate(judged, right)
    assert rate.value is not None
    if 0 < sum(judged) < len(judged):
        assert rate.value == pytest.approx(sum(judged) / len(judged))


def test_unequal_chances_are_undone() -> None:
    """Bad outputs among those judged good were labelled ten times as often as the others."""
    labels = [Label(judged_bad=False, bad=True, probability=1.0)] * 30
    labels += [Label(judged_bad=False, bad=False, probability=0.1)] * 27
    rate = two_phase_rate([False] * 1000, labels)
    assert rate.value == pytest.approx(0.1)
    plain = wilson(30 * 0.1 / 3.0, 30)
    assert rate.high is not None
    assert rate.high > plain[0]


def test_a_verdict_nobody_labelled_is_not_taken_for_right() -> None:
    labels = [Label(judged_bad=False, bad=False)] * 40
    rate = two_phase_rate([True] * 200 + [False] * 800, labels)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 0.01
    assert rate.high > 0.2


@pytest.mark.parametrize(
    ("judged", "labels", "said"),
    [
        ([True], [Label(judged_bad=True, bad=True)] * 29, "29 of at least 30"),
        ([], [Label(judged_bad=True, bad=True)] * 40, "no verdicts"),
    ],
)
def test_without_enough_there_is_no_rate(
    judged: list[bool], labels: list[Label], said: str
) -> None:
    for rate in (two_phase_rate(judged, labels), rogan_gladen_rate(judged, counted(labels))):
        assert rate.value is None
        assert said in (rate.why or "")


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        ((30, 0, 0, 0), "says good"),
        ((0, 0, 10, 30), "says bad"),
        ((10, 10, 20, 20), "better than chance"),
    ],
)
def test_a_judge_that_cannot_be_corrected_for(
    confusion: tuple[int, int, int, int], said: str
) -> None:
    a, b, c, d = confusion
    seen = Confusion(bad_judged_bad=a, bad_judged_good=b, good_judged_bad=c, good_judged_good=d)
    rate = rogan_gladen_rate([True, False], seen)
    assert rate.value is None
    assert said in (rate.why or "")


@pytest.mark.parametrize(
    ("rate", "sensitivity", "specificity", "labels"),
    [(0.1, 0.75, 0.9, 100), (0.02, 0.9, 0.95, 100), (0.2, 0.9, 0.9, 50)],
)
def test_the_limits_cover_the_truth(
    rate: float, sensitivity: float, specificity: float, labels: int
) -> None:
    random, tries = np.random.default_rng(7), 200
    covered = {Method.TWO_PHASE: 0, Method.ROGAN_GLADEN: 0}
    naive = 0
    for _ in range(tries):
        bad = random.random(1000) < rate
        judged = np.where(bad, random.random(1000) < sensitivity, random.random(1000) > specificity)
        taken = random.choice(1000, labels, replace=False)
        people = [Label(judged_bad=bool(judged[i]), bad=bool(bad[i])) for i in taken]
        later = random.random(1000) < 3 * rate
        judged_later = np.where(
            later, random.random(1000) < sensitivity, random.random(1000) > specificity
        )
        found = two_phase_rate(judged.tolist(), people)
        old = rogan_gladen_rate(judged_later.tolist(), counted(people))
        for each, truth in ((found, rate), (old, 3 * rate)):
            hit = each.low is None or each.high is None or each.low <= truth <= each.high
            covered[each.method] += hit
        low, high = wilson(judged.sum(), 1000)
        naive += low <= rate <= high
    assert min(covered.values()) >= 0.9 * tries
    assert naive < 0.5 * tries


def test_old_labels_do_not_drag_the_rate_along() -> None:
    """The rate tripled since the labels: sensitivity and specificity hold, PPV does not."""
    labels = [Label(judged_bad=i < 75, bad=True) for i in range(100)]
    labels += [Label(judged_bad=i < 190, bad=False) for i in range(1900)]
    now = [True] * int(1000 * (0.15 * 0.75 + 0.85 * 0.1)) + [False] * 803
    old, two_phase = rogan_gladen_rate(now, counted(labels)), two_phase_rate(now, labels)
    assert old.value == pytest.approx(0.15, abs=0.01)
    assert two_phase.value is not None
    assert two_phase.value < 0.1


@pytest.mark.parametrize(("half", "n"), [(0.05, 100), (0.035, 200), (0.025, 400)])
def test_how_many_labels_are_needed(half: float, n: int) -> None:
    assert labels_needed(half, 0.1, 0.52) == pytest.approx(n, rel=0.08)
    assert labels_needed(0.4, 0.1) == LEAST_LABELS


@pytest.mark.parametrize("arguments", [(0, 0.1, 0), (0.1, 1.1, 0), (0.1, 0.1, 2)])
def test_a_width_that_cannot_be(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="half_width"):
        labels_needed(*arguments)


def test_correlation() -> None:
    assert correlation([Label(judged_bad=b, bad=b) for b in (True, False)]) == pytest.approx(1)
    assert correlation([Label(judged_bad=b, bad=not b) for b in (True, False)]) == pytest.approx(-1)
    assert correlation([Label(judged_bad=True, bad=b) for b in (True, False)]) == 0

"""Agreement: scikit-learn is the oracle, and too little data is said to be so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score

from alerts.agreement import (
    LEAST_FOR_KAPPA,
    LEAST_ITEMS,
    Estimate,
    auroc,
    auroc_within,
    calibration,
    confusion,
    kappa,
    share,
)

scores = st.sampled_from([0.0, 0.3, 0.7, 1.0, 0.41])
judged = st.lists(st.tuples(scores, st.booleans()), min_size=LEAST_ITEMS, max_size=120)
words = st.sampled_from(["a", "b", "c"])


def in_order(found: Estimate) -> bool:
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12


@settings(max_examples=20)
@given(judged)
def test_auroc_is_scikit_learns(pairs: list[tuple[float, bool]]) -> None:
    badness, bad = [p[0] for p in pairs], [p[1] for p in pairs]
    found = auroc(badness, bad)
    if min(sum(bad), len(bad) - sum(bad)) < 5:
        assert found.value is None
        assert found.why
    else:
        assert found.value == pytest.approx(roc_auc_score(bad, badness))
        assert found.n == len(bad)


@settings(max_examples=20)
@given(judged)
def test_auroc_turns_with_the_scores_and_not_with_the_order(
    pairs: list[tuple[float, bool]],
) -> None:
    badness, bad = [p[0] for p in pairs], [p[1] for p in pairs]
    found, mirrored = auroc(badness, bad), auroc([-x for x in badness], bad)
    assert auroc(badness[::-1], bad[::-1]) == found
    if found.value is not None:
        assert mirrored.value == pytest.approx(1 - found.value)


def test_within_models_a_model_that_is_bad_and_scored_low_proves_nothing() -> None:
    """All of the pooled agreement is between two models; within either the judge knows nothing."""
    random = np.random.default_rng(3)
    bad = np.concatenate([random.random(400) < 0.1, random.random(400) < 0.6])
    badness = np.concatenate([random.random(400), 0.5 + random.random(400)])
    models = ["good"] * 400 + ["poor"] * 400
    pooled, within = (
        auroc(badness.tolist(), bad.tolist()),
        auroc_within(badness.tolist(), bad.tolist(), models),
    )
    assert pooled.value is not None
    assert within.value is not None
    assert pooled.value > 0.6
    assert within.value == pytest.approx(0.5, abs=0.06)
    assert within.low is not None
    assert within.high is not None
    assert within.low < 0.5 < within.high


def test_within_models_all_pairs_count_alike() -> None:
    first = ([0.1, 0.9, 0.5] * 10, [True, False, False] * 10)
    second = ([0.9, 0.1] * 15, [True, False] * 15)
    found = auroc_within(
        first[0] + second[0] + [0.5],
        first[1] + second[1] + [True],
        ["a"] * 30 + ["b"] * 30 + [None],
    )
    pairs = [10 * 20, 15 * 15]
    assert found.value == pytest.approx((0 * pairs[0] + 1 * pairs[1]) / sum(pairs))
    assert found.n == 60


@pytest.mark.parametrize(
    ("n", "bad", "said"),
    [(49, 20, "49 of at least 50"), (60, 0, "one kind"), (60, 60, "one kind"), (60, 3, "3 of at")],
)
def test_auroc_needs_enough_of_both_kinds(n: int, bad: int, said: str) -> None:
    found = auroc([0.5] * n, [i < bad for i in range(n)])
    assert (found.value, found.low, found.high) == (None, None, None)
    assert said in (found.why or "")


def test_a_perfect_judge_is_not_certain() -> None:
    bad = [i < 10 for i in range(60)]
    found = auroc([float(b) for b in bad], bad)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.72, abs=0.01)
    same = kappa(bad * 2, bad * 2)
    assert (same.value, same.high) == (1, 1)
    assert same.low is not None
    assert 0.8 < same.low < 1


def test_ties_are_half() -> None:
    found = auroc([0.5] * 60, [i < 20 for i in range(60)])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


@settings(max_examples=20)
@given(st.lists(st.tuples(words, words), min_size=LEAST_FOR_KAPPA, max_size=LEAST_FOR_KAPPA + 60))
def test_kappa_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = [p[0] for p in pairs], [p[1] for p in pairs]
    found = kappa(ours, theirs)
    if len({*ours, *theirs}) == 1:
        assert found.value is None
    else:
        assert found.value == pytest.approx(cohen_kappa_score(ours, theirs), abs=1e-12)
        assert found == kappa(ours, theirs)


def test_kappa_needs_a_hundred() -> None:
    found = kappa(["a", "b"] * 49, ["a", "b"] * 49)
    assert found.value is None
    assert "98 of at least 100" in (found.why or "")


@pytest.mark.parametrize(("n", "auroc_off", "kappa_off"), [(100, 0.11, 0.23), (400, 0.05, 0.11)])
def test_the_intervals_are_about_as_wide_as_they_should_be(
    n: int, auroc_off: float, kappa_off: float
) -> None:
    """15 % bad, and a judge of a normal score that is 1.4 deviations higher for bad outputs."""
    random = np.random.default_rng(11)
    widths = []
    for _ in range(10):
        bad = random.permutation(n) < 0.15 * n
        score = random.normal(size=n) + 1.4 * bad
        area, agreed = (
            auroc(score.tolist(), bad.tolist()),
            kappa(bad.tolist(), (score > 1).tolist()),
        )
        assert in_order(area)
        assert in_order(agreed)
        widths.append([(e.high or 0) - (e.low or 0) for e in (area, agreed)])
    half = np.mean(widths, axis=0) / 2
    assert half == pytest.approx([auroc_off, kappa_off], rel=0.35)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=LEAST_ITEMS, max_size=80))
def test_brier_is_scikit_learns(pairs: list[tuple[float, bool]]) -> None:
    said, bad = [p[0] for p in pairs], [p[1] for p in pairs]
    found = calibration(said, bad)
    assert found.brier.value == pytest.approx(
        brier_score_loss(np.array(bad, dtype=int), said, pos_label=1), abs=1e-12
    )
    assert found.error.value == pytest.approx(
        sum(b.n * abs(b.said - b.true) for b in found.bins) / len(bad), abs=1e-9
    )
    assert sum(b.n for b in found.bins) == len(bad)


def test_a_calibrated_judge_has_a_small_error_and_an_overconfident_one_has_not() -> None:
    random = np.random.default_rng(5)
    said = random.random(2000)
    bad = random.random(2000) < said
    sharp = np.where(said > 0.5, 0.99, 0.01)
    good = calibration(said.tolist(), bad.tolist()).error
    poor = calibration(sharp.tolist(), bad.tolist()).error
    assert good.value is not None
    assert poor.value is not None
    assert good.value < 0.05
    assert poor.value > 0.2
    assert in_order(poor)


def test_calibration_needs_enough_and_takes_probabilities() -> None:
    few = calibration([0.2] * 49, [True] * 49)
    assert few.brier.value is None
    assert few.bins[0].n == 49
    assert calibration([], []).bins == ()
    with pytest.raises(ValueError, match="from 0 to 1"):
        calibration([1.1], [True])


def test_confusion_and_shares() -> None:
    assert confusion(["a", "a", "b"], ["a", "b", "b"]) == {
        ("a", "a"): 1,
        ("a", "b"): 1,
        ("b", "b"): 1,
    }
    assert share(9, 9).value is None
    assert in_order(share(9, 10))
    with pytest.raises(ValueError, match="zip"):
        confusion(["a"], [])
    with pytest.raises(ValueError, match="one length"):
        auroc([1.0], [])

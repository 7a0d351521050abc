"""Weighted scores: the same as unweighted ones where weights are equal, unbiased where not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from alerts.binomial import at_least
from alerts.lines import LEVELS, learn
from alerts.percentiles import quantile
from alerts.summaries import pool, summarize
from alerts.weights import BucketRates, effective_counts, effective_size, kept, scores
from tailwatch.alert import ALL_TRAFFIC, Buckets, Direction, ScoreSample
from tests.alerts.samples import hour

SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-1e6, 1e6))
WEIGHTED = st.lists(st.tuples(SCORES, st.floats(0.01, 100)), min_size=1, max_size=200)
PROBABILITIES = st.sampled_from([0.05, 0.1, 0.5, 0.9, 0.95])


@given(st.lists(SCORES, max_size=200), PROBABILITIES, st.floats(0.01, 100))
def test_equal_weights_are_no_weights(
    values: list[float], probability: float, weight: float
) -> None:
    weights = [weight] * len(values)
    assert quantile(values, probability, weights) == quantile(values, probability)
    sample = hour(0, values)
    weighted = replace(sample, weights=weights)
    assert summarize(weighted, Direction.HIGHER_IS_BETTER) == summarize(
        sample, Direction.HIGHER_IS_BETTER
    )
    bad = np.asarray(values) < 0.5
    assert effective_counts(bad, weighted) == (float(np.count_nonzero(bad)), float(len(values)))


@given(WEIGHTED, PROBABILITIES, st.integers(-20, 20))
def test_scaling_weights_changes_nothing(
    scores: list[tuple[float, float]], probability: float, power: int
) -> None:
    values, weights = [v for v, _ in scores], [w for _, w in scores]
    scaled = [w * 2.0**power for w in weights]
    assert quantile(values, probability, weights) == quantile(values, probability, scaled)
    assert effective_size(weights) == pytest.approx(effective_size(scaled))


@given(st.lists(st.tuples(SCORES, st.integers(1, 3)), min_size=90, max_size=150), PROBABILITIES)
def test_a_score_of_weight_k_is_at_the_place_of_k_scores(
    scores: list[tuple[float, int]], probability: float
) -> None:
    values, weights = [v for v, _ in scores], [w for _, w in scores]
    found = quantile(values, probability, weights)
    assume(found.value is not None)
    assert found.value == quantile(np.repeat(values, weights), probability).value


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_the_effective_size_is_at_most_the_number(weights: list[float]) -> None:
    assert 1 - 1e-9 <= effective_size(weights) <= len(weights) + 1e-9


def test_the_effective_size_decides_whether_there_is_enough() -> None:
    values, weights = range(40), [1.0] * 20 + [9.0] * 20
    assert effective_size(weights) == pytest.approx(200**2 / (20 * 82))
    assert quantile(values, 0.1).value is not None
    assert quantile(values, 0.1, weights).value is None
    assert effective_size([]) == 0


def test_an_hour_without_weights_counts_as_the_mean_score_of_another() -> None:
    weighted = replace(hour(0, [1.0, 2.0]), weights=(0.5, 1.5))
    assert pool([weighted, hour(1, [3.0])]).weights == [0.5, 1.5, 1.0]
    assert pool([hour(0, [1.0]), hour(1, [3.0])]).weights is None
    summary = summarize(pool([weighted, hour(1, [3.0])]), Direction.HIGHER_IS_BETTER)
    assert summary.mean == pytest.approx((0.5 + 3 + 3) / 3)


# A population of two buckets: a tenth is flagged, and scores low.
M, FLAGGED, N_FLAGGED, N_NORMAL = 3000, 300, 50, 100
RATES = BucketRates(normal=0.05, flagged=0.5)


def buckets(flagged: list[bool], share: float) -> Buckets:
    return Buckets(
        flagged=flagged,
        n_flagged=sum(flagged),
        n_normal=len(flagged) - sum(flagged),
        flagged_share=share,
        outputs=M,
    )


def drawn(
    random: np.random.Generator, n_flagged: int, n_normal: int, levels: int | None
) -> tuple[NDArray[np.float64], ScoreSample]:
    """A whole hour's scores and a stratified sample of it."""
    flagged = np.arange(M) < FLAGGED
    scores = np.where(flagged, random.beta(2, 3, M), random.beta(8, 3, M))
    if levels is not None:
        scores = np.floor(scores * levels) / levels
    taken = np.concatenate(
        [
            random.choice(np.flatnonzero(flagged), n_flagged, replace=False),
            random.choice(np.flatnonzero(~flagged), n_normal, replace=False),
        ]
    )
    n = len(taken)
    stands_for = np.where(flagged[taken], FLAGGED / n_flagged, (M - FLAGGED) / n_normal)
    sample = replace(
        hour(0, scores[taken].tolist()),
        weights=(stands_for * n / M).tolist(),
        buckets=buckets(flagged[taken].tolist(), FLAGGED / M),
    )
    return scores, sample


@pytest.mark.parametrize("levels", [None, 4])
def test_an_oversampled_tail_is_estimated_without_bias_and_its_interval_covers(
    levels: int | None,
) -> None:
    random = np.random.default_rng(7)
    repetitions, covered = 600, 0
    errors, ignoring = [], []
    for _ in range(repetitions):
        scores, sample = drawn(random, N_FLAGGED, N_NORMAL, levels)
        truth = quantile(scores, 0.1).value
        found = quantile(sample.values, 0.1, sample.weights)
        plain = quantile(sample.values, 0.1).value
        assert truth is not None
        assert found.value is not None
        assert plain is not None
        errors.append(found.value - truth)
        ignoring.append(plain - truth)
        low = -math.inf if found.low is None else found.low
        high = math.inf if found.high is None else found.high
        covered += low <= truth <= high
    if levels is None:
        assert abs(np.mean(errors)) < 0.01
    assert np.mean(ignoring) < -0.05
    assert covered / repetitions >= 0.93


@pytest.mark.parametrize(("n_flagged", "n_normal"), [(15, 135), (50, 100)])
def test_effective_counts_have_the_variance_of_independent_outputs(
    n_flagged: int, n_normal: int
) -> None:
    """Over hours whose flagged share varies as it does when each output is drawn by itself."""
    random = np.random.default_rng(11)
    shares, sizes = [], []
    for _ in range(3000):
        share = random.binomial(M, FLAGGED / M) / M
        k_flagged, k_normal = (
            random.binomial(n_flagged, RATES.flagged),
            random.binomial(n_normal, RATES.normal),
        )
        n = n_flagged + n_normal
        weights = [share * n / n_flagged] * n_flagged + [(1 - share) * n / n_normal] * n_normal
        sample = replace(
            hour(0, [0.0] * n),
            weights=weights,
            buckets=buckets([True] * n_flagged + [False] * n_normal, share),
        )
        bad = np.array(
            [i < k_flagged for i in range(n_flagged)] + [i < k_normal for i in range(n_normal)]
        )
        k, size = effective_counts(bad, sample, RATES)
        shares.append(k / size)
        sizes.append(size)
    p = (FLAGGED * RATES.flagged + (M - FLAGGED) * RATES.normal) / M
    assert np.mean(shares) == pytest.approx(p, abs=0.003)
    assert np.var(shares) == pytest.approx(p * (1 - p) / np.mean(sizes), rel=0.1)


def test_effective_counts_without_usual_rates_are_kish_s() -> None:
    _, sample = drawn(np.random.default_rng(1), 50, 100, None)
    bad = np.asarray(sample.values) < 0.5
    k, n = effective_counts(bad, sample)
    assert n == pytest.approx(effective_size(sample.weights or ()))
    assert k / n == pytest.approx(np.average(bad, weights=sample.weights))
    assert n < 150 < effective_counts(bad, sample, RATES)[1]


def test_the_counts_of_segments_add_up_to_those_of_all_traffic() -> None:
    """Whatever is in them: a segment of one score counts it by its weight, not as one output."""
    _, sample = drawn(np.random.default_rng(5), 50, 100, None)
    bad = np.asarray(sample.values) < 0.5
    places = np.random.default_rng(6).permutation(150)
    whole = effective_counts(bad, sample, RATES)
    parts = [
        effective_counts(bad[part], kept(sample, part.tolist()), RATES)
        for part in (places[:1], places[1:20], places[20:])
    ]
    assert np.sum(parts, axis=0) == pytest.approx(whole)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_whole_counts_have_the_binomial_probability(bad: int, more: int, p: float) -> None:
    from_scipy = stats.binom.sf(bad - 1, bad + more, p)
    assert at_least(bad, bad + more, p) == pytest.approx(from_scipy, rel=1e-9, abs=1e-300)


def test_some_of_the_scores_keep_their_weights_and_buckets() -> None:
    sample = replace(
        hour(0, [0.1, 0.2, 0.3]),
        weights=(0.5, 1.0, 1.5),
        buckets=buckets([True, False, False], 0.1),
    )
    some = kept(sample, [0, 2])
    assert scores(some) == [(0.1, 0.5, True), (0.3, 1.5, False)]
    assert scores(kept(hour(0, [0.1, 0.2]), [1])) == [(0.2, 1.0, False)]


def test_lines_of_an_oversampled_baseline_are_those_of_the_traffic() -> None:
    """Flagged traces are a third of the sample and a tenth of the traffic."""
    random = np.random.default_rng(3)
    drawn_hours = [drawn(random, N_FLAGGED, N_NORMAL, None) for _ in range(60)]
    hours = [
        replace(sample, window=hour(index).window) for index, (_, sample) in enumerate(drawn_hours)
    ]
    traffic = np.concatenate([scores for scores, _ in drawn_hours])
    lines = learn({ALL_TRAFFIC: hours}, Direction.HIGHER_IS_BETTER)
    plain = learn(
        {ALL_TRAFFIC: [replace(h, weights=None, buckets=None) for h in hours]},
        Direction.HIGHER_IS_BETTER,
    )
    assert lines is not None
    assert plain is not None
    for level, line, ignoring in zip(LEVELS, lines.lines[0], plain.lines[0], strict=True):
        assert line is not None
        assert ignoring is not None
        assert line.score == pytest.approx(np.quantile(traffic, level), abs=0.03)
        assert ignoring.score < line.score - 0.05
        assert line.rates is not None
        assert line.rates.flagged > line.rates.normal
    assert lines.usual[0] == pytest.approx(LEVELS, rel=0.1)
    assert 0 < lines.effect.max() < 2

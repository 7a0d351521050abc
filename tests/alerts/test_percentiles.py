import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alerts.percentiles import least_n, quantile, rank

VALUES = st.lists(
    st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-1e6, 1e6)),
    min_size=1,
    max_size=400,
)
PROBABILITIES = st.sampled_from([0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99])


@given(VALUES, PROBABILITIES)
def test_the_value_is_the_smallest_that_enough_values_do_not_exceed(
    values: list[float], probability: float
) -> None:
    found = quantile(values, probability).value
    if found is None:
        assert len(values) < least_n(probability)
        return
    assert found in values
    assert sum(v <= found for v in values) / len(values) >= probability
    assert sum(v < found for v in values) / len(values) < probability


@pytest.mark.parametrize("percent", [1, 5, 7, 10, 50, 90, 95, 99])
def test_the_rank_is_exact_where_floating_point_is_not(percent: int) -> None:
    """70 * 0.1 is a little more than 7 in floating point."""
    for n in range(1, 2000):
        assert rank(n, percent / 100) == -(-n * percent // 100)


@given(VALUES, PROBABILITIES)
def test_the_limits_are_those_of_scipy(values: list[float], probability: float) -> None:
    found = quantile(values, probability)
    if found.value is None:
        assert found.low is None
        assert found.high is None
        return
    expected: Any = stats.quantile_test(values, p=probability).confidence_interval(0.95)
    for ours, theirs in ((found.low, expected.low), (found.high, expected.high)):
        assert ours == theirs or (ours is None and math.isnan(theirs))


@pytest.mark.parametrize("probability", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n", [36, 60, 200])
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_the_interval_covers_the_true_quantile(probability: float, n: int, levels: int) -> None:
    """5-level, pass/fail and fine scores; a missing limit counts as covering its side."""
    random = np.random.default_rng([n, levels])
    truth = (math.ceil(probability * levels - 1e-9) - 1) / levels
    repetitions, covered = 400, 0
    for _ in range(repetitions):
        found = quantile(np.floor(random.random(n) * levels) / levels, probability)
        low = -math.inf if found.low is None else found.low
        high = math.inf if found.high is None else found.high
        covered += found.value is None or low <= truth <= high
    assert stats.binomtest(covered, repetitions, 0.95, alternative="less").pvalue > 1e-4


@pytest.mark.parametrize(
    ("probability", "n"),
    [(0.01, 299), (0.05, 59), (0.1, 29), (0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)],
)
def test_a_quantile_is_shown_from_the_n_that_a_one_sided_limit_needs(
    probability: float, n: int
) -> None:
    assert least_n(probability) == n
    assert quantile(range(n - 1), probability).value is None
    assert quantile(range(n), probability).value is not None


def test_a_limit_that_does_not_exist_is_none() -> None:
    found = quantile(range(30), 0.1)
    assert (found.value, found.low, found.high) == (2.0, None, 7.0)


def test_no_values_are_no_quantile() -> None:
    assert quantile([], 0.5).value is None


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1])
def test_the_ends_are_no_quantiles(probability: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        quantile([1.0], probability)

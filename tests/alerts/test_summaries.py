import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.percentiles import quantile
from alerts.summaries import PROBABILITIES, pool, recent, summarize
from tailwatch.alert import Direction
from tailwatch.window import HOUR, Window
from tests.alerts.samples import SEARCH, hour, start_of


@given(st.lists(st.floats(0, 1), max_size=100))
def test_a_summary_says_the_same_as_each_quantile_alone(values: list[float]) -> None:
    summary = summarize(hour(0, values, skipped=2, failed=3), Direction.HIGHER_IS_BETTER)
    assert summary.quantiles == tuple(quantile(values, p) for p in PROBABILITIES)
    assert (summary.n, summary.skipped, summary.failed) == (len(values), 2, 3)
    if values:
        assert summary.mean == pytest.approx(sum(values) / len(values))
    else:
        assert summary.mean is None


def test_the_tail_is_the_bad_end() -> None:
    values = list(range(100))
    up = summarize(hour(0, values), Direction.HIGHER_IS_BETTER)
    down = summarize(hour(0, values), Direction.LOWER_IS_BETTER, restated=True)
    assert (up.tail.value, down.tail.value) == (9.0, 89.0)
    assert (up.restated, down.restated) == (False, True)


def test_pooled_hours_are_one_sample() -> None:
    pooled = pool([hour(0, [1.0], failed=1), hour(1, skipped=2), hour(2, [0.0, 0.5])])
    assert list(pooled.values) == [1.0, 0.0, 0.5]
    assert (pooled.skipped, pooled.failed) == (2, 1)
    assert pooled.window == Window(start_of(0), start_of(3))


def test_only_like_is_pooled_with_like() -> None:
    with pytest.raises(ValueError, match="feature=search"):
        pool([hour(0), hour(1, segment=SEARCH)])
    with pytest.raises(ValueError, match="at least one"):
        pool([])


def test_recent_hours_count_back_from_the_end_of_the_last() -> None:
    samples = [hour(i) for i in range(5)]
    assert recent(samples, 2 * HOUR) == samples[3:]

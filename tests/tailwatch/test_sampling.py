"""Samples are the same everywhere, uniform, nested, and say their probabilities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tailwatch.sampling import SampleDesign, position

ids = st.sets(st.text(min_size=1), max_size=60)
rates = st.floats(0.001, 1.0)


@pytest.mark.parametrize(
    ("trace_id", "cohort", "expected"),
    [
        ("trace-1", "tailwatch", 0.3912420709313569),
        ("trace-2", "tailwatch", 0.19669297175162437),
        ("", "tailwatch", 0.6608281164405507),
        ("\xfcn\xef-\ud800", "tailwatch", 0.726785601460035),
        ("trace-1", "weekly", 0.5559504711591357),
    ],
)
def test_positions_never_change(trace_id: str, cohort: str, expected: float) -> None:
    """A change of any of these would silently draw another sample in production."""
    assert position(trace_id, cohort) == expected


def test_positions_are_uniform_and_cohorts_independent() -> None:
    names = [f"trace-{number}" for number in range(5000)]
    one, other = ([position(name, cohort) for name in names] for cohort in ("one", "other"))
    assert stats.kstest(one, "uniform").pvalue > 0.001
    assert abs(stats.pearsonr(one, other).statistic) < 0.05


@given(ids, rates, rates)
def test_a_smaller_rate_lies_inside_a_larger_one(names: set[str], a: float, b: float) -> None:
    small, large = sorted((a, b))
    assert (
        SampleDesign(rate=small).select(names).keys()
        <= SampleDesign(rate=large).select(names).keys()
    )


@given(ids, st.integers(1, 60), st.integers(1, 60))
def test_a_smaller_target_lies_inside_a_larger_one(names: set[str], a: int, b: int) -> None:
    small, large = sorted((a, b))
    inner, outer = (SampleDesign(per_hour=k).select(names) for k in (small, large))
    assert inner.keys() <= outer.keys()
    assert len(inner) == min(small, len(names))


@given(ids, st.integers(1, 60), rates)
def test_probabilities_add_up_to_the_design(names: set[str], k: int, rate: float) -> None:
    by_target = SampleDesign(per_hour=k).select(names)
    assert sum(by_target.values()) == pytest.approx(len(by_target) * min(1, k / max(1, len(names))))
    by_rate = SampleDesign(rate=rate).select(names)
    assert set(by_rate.values()) <= {rate}
    assert set(SampleDesign().select(names).values()) <= {1.0}
    both = SampleDesign(rate=rate, per_hour=k).select(names)
    assert both.keys() == (by_target.keys() & by_rate.keys())


def test_order_and_repeats_do_not_matter() -> None:
    names = [f"t{number}" for number in range(50)]
    design = SampleDesign(per_hour=7)
    assert design.select(names) == design.select([*reversed(names), *names])


@pytest.mark.parametrize(
    ("rate", "per_hour", "told"),
    [(0, None, "rate is 0"), (1.5, None, "rate is 1.5"), (None, 0, "per_hour is 0")],
)
def test_an_impossible_design_is_refused(
    rate: float | None, per_hour: int | None, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        SampleDesign(rate=rate, per_hour=per_hour)


marked = st.dictionaries(st.text(min_size=1), st.booleans(), max_size=60)


@given(marked, st.integers(3, 60), st.integers(3, 60), st.none() | st.floats(0, 1 / 3))
def test_with_buckets_too_a_smaller_target_lies_inside_a_larger_one(
    names: dict[str, bool], a: int, b: int, share: float | None
) -> None:
    small, large = sorted((a, b))
    flagged = {name for name, is_flagged in names.items() if is_flagged}
    inner, outer = (
        SampleDesign(per_hour=k, flagged_share=share).select(names, flagged) for k in (small, large)
    )
    assert inner.keys() <= outer.keys()
    assert len(inner) == min(small, len(names))


@given(marked, st.integers(3, 60), st.none() | st.floats(0, 1))
def test_the_weights_of_a_bucket_add_up_to_its_size(
    names: dict[str, bool], k: int, share: float | None
) -> None:
    flagged = {name for name, is_flagged in names.items() if is_flagged}
    sample = SampleDesign(per_hour=k).select(names, flagged, share)
    for bucket in (flagged, names.keys() - flagged):
        total = sum(1 / sample[name] for name in bucket if name in sample)
        assert total == pytest.approx(len(bucket))
    assert [*sample] == sorted(sample, key=lambda name: (position(name), name))


def test_of_each_bucket_those_with_the_smallest_positions_are_taken() -> None:
    names = sorted((f"t{number}" for number in range(100)), key=position)
    flagged = set(names[90:])
    sample = SampleDesign(per_hour=20, flagged_share=0.25).select(names, flagged)
    assert [*sample] == [*names[:15], *names[90:95]]
    assert (sample[names[0]], sample[names[90]]) == (15 / 90, 5 / 10)


@pytest.mark.parametrize("share", [-0.1, 0.34])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="it must be from 0 to 1/3"):
        SampleDesign(per_hour=5, flagged_share=share)


@pytest.mark.parametrize("places", [1, 2])
def test_one_or_two_places_are_shared_by_all_traces(places: int) -> None:
    names = [f"t{number}" for number in range(20)]
    sample = SampleDesign(per_hour=places).select(names, set(names[:5]))
    assert sample == SampleDesign(per_hour=places).select(names)
    assert set(sample.values()) == {places / 20}

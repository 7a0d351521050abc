"""The scores of an hour in a few numbers, and hours put together."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.percentiles import quantile, quantile_of_sorted
from alerts.weights import unequal
from tailwatch.alert import Direction, ScoreSample, ScoreSummary
from tailwatch.window import Window

PROBABILITIES = (0.05, 0.1, 0.5, 0.9, 0.95, 0.99)
"""The quantiles of every summary."""


def summarize(sample: ScoreSample, direction: Direction, *, restated: bool = False) -> ScoreSummary:
    """How the sample did: n, mean, and the quantiles with their limits; None is "not enough"."""
    values = np.asarray(sample.values, dtype=np.float64)
    if sample.weights is not None and unequal(sample.weights):
        quantiles = tuple(quantile(values, p, sample.weights) for p in PROBABILITIES)
    else:
        ordered = np.sort(values)
        quantiles = tuple(quantile_of_sorted(ordered, p) for p in PROBABILITIES)
    return ScoreSummary(
        series=sample.series,
        segment=sample.segment,
        window=sample.window,
        direction=direction,
        n=len(values),
        skipped=sample.skipped,
        failed=sample.failed,
        mean=weighted_mean(values, sample.weights),
        quantiles=quantiles,
        restated=restated,
    )


def weighted_mean(
    values: Sequence[float] | NDArray[Any], weights: Sequence[float] | None
) -> float | None:
    """The mean, each value counted by its weight (None: all alike); None for no values."""
    if not len(values):
        return None
    if weights is None or not unequal(weights):
        return float(np.mean(values))
    return float(np.average(values, weights=weights))


def pool(samples: Sequence[ScoreSample]) -> ScoreSample:
    """Hours of one series and segment as one sample, from the first start to the last end.

    An hour is too short for the limits of its P10 to mean much; a day of pooled hours is not.
    Raises ValueError for no samples, and for samples of different series or segments.
    """
    if not samples:
        raise ValueError("no samples to pool; at least one is needed")
    first = samples[0]
    for sample in samples:
        if (sample.series, sample.segment) != (first.series, first.segment):
            raise ValueError(
                f"{sample.series} in {sample.segment} cannot be pooled with "
                f"{first.series} in {first.segment}"
            )
    return ScoreSample(
        series=first.series,
        segment=first.segment,
        window=Window(
            min(sample.window.start for sample in samples),
            max(sample.window.end for sample in samples),
        ),
        values=[value for sample in samples for value in sample.values],
        skipped=sum(sample.skipped for sample in samples),
        failed=sum(sample.failed for sample in samples),
        weights=_pooled_weights(samples),
    )


def _pooled_weights(samples: Sequence[ScoreSample]) -> list[float] | None:
    """A score of an hour without weights stands for as many as the mean score of any other."""
    if all(sample.weights is None for sample in samples):
        return None
    return [
        weight
        for sample in samples
        for weight in ([1.0] * len(sample.values) if sample.weights is None else sample.weights)
    ]


def outcomes(sample: ScoreSample) -> int:
    """How many sampled outputs the evaluator had to do with: scored, skipped or failed."""
    return len(sample.values) + sample.skipped + sample.failed


def recent(samples: Sequence[ScoreSample], length: timedelta) -> Sequence[ScoreSample]:
    """The samples that start within the last `length` before the end of the last one."""
    since = samples[-1].window.end - length
    return [sample for sample in samples if sample.window.start >= since]

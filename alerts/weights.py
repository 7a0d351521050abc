"""Scores that stand for different numbers of outputs: how many equal ones they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailwatch.alert import Buckets, ScoreSample

_RELATIVE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRates:
    """The shares, above 0 and below 1, that are usually bad of normal and of flagged outputs."""

    normal: float
    flagged: float


def unequal(weights: Sequence[float] | NDArray[Any]) -> bool:
    """Whether the weights differ by more than rounding; False for none."""
    array = np.asarray(weights, dtype=np.float64)
    return bool(len(array)) and float(np.ptp(array)) > _RELATIVE * float(array.max())


def effective_size(weights: Sequence[float] | NDArray[Any]) -> float:
    """How many equal weights carry as much: (sum w)^2 / sum w^2, and 0 for none.

    Kish, Survey Sampling (1965), section 11.7. Not more than their number.
    """
    array = np.asarray(weights, dtype=np.float64)
    if not len(array):
        return 0.0
    array = array / array.max()
    return float(array.sum() ** 2 / (array**2).sum())


def effective_counts(
    bad: NDArray[np.bool_], sample: ScoreSample, rates: BucketRates | None = None
) -> tuple[float, float]:
    """So many bad ones among so many independent outputs say as much as the sample does.

    `bad` says of each of the hour's values whether it counts. Without weights the counts are those
    of the values. With them the share p is the weighted one, and n is such that p (1 - p) / n is
    its variance: Kish's effective size, or, where the buckets' usual `rates` are known, for bucket
    b with n_b values and the share W_b of the weight,

        n = p0 (1 - p0) / [sum_b W_b^2 p_b (1 - p_b) / n_b + W_f W_n (p_f - p_n)^2 / M],
        p0 = sum_b W_b p_b

    (two-phase sampling for stratification, Cochran, Sampling Techniques, 3rd ed., section 12.2),
    at most the number M of outputs that the values stand for. Where flags tell bad outputs from
    good ones this is more than the number of values.
    """
    if sample.weights is None or not unequal(sample.weights):
        return float(np.count_nonzero(bad)), float(len(bad))
    weights = np.asarray(sample.weights, dtype=np.float64)
    n = effective_size(weights)
    if rates is not None and sample.buckets is not None:
        n = _stratified_size(weights, sample.buckets, rates) or n
    return n * float(weights[bad].sum() / weights.sum()), n


def _stratified_size(
    weights: NDArray[np.float64], buckets: Buckets, rates: BucketRates
) -> float | None:
    """None where one of the buckets has no value, for then there is no stratification."""
    flagged = np.asarray(buckets.flagged, dtype=np.bool_)
    n_flagged = int(np.count_nonzero(flagged))
    n_normal = len(flagged) - n_flagged
    if not n_flagged or not n_normal:
        return None
    share = float(weights[flagged].sum() / weights.sum())
    outputs = len(flagged) / buckets.fraction
    usual = share * rates.flagged + (1 - share) * rates.normal
    variance = (
        share**2 * rates.flagged * (1 - rates.flagged) / n_flagged
        + (1 - share) ** 2 * rates.normal * (1 - rates.normal) / n_normal
        + share * (1 - share) * (rates.flagged - rates.normal) ** 2 / outputs
    )
    return min(usual * (1 - usual) / variance, outputs)


def kept(sample: ScoreSample, places: Sequence[int]) -> ScoreSample:
    """The sample with the scores at these places alone, each with its weight and its bucket."""

    def at(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[place] for place in places)

    buckets = sample.buckets
    return replace(
        sample,
        values=at(sample.values),
        weights=None if sample.weights is None else at(sample.weights),
        buckets=None if buckets is None else replace(buckets, flagged=at(buckets.flagged)),
    )


def scores(sample: ScoreSample) -> list[tuple[float, float, bool]]:
    """Each score with its weight, 1 where there are none, and whether its trace was flagged."""
    n = len(sample.values)
    flagged = [False] * n if sample.buckets is None else sample.buckets.flagged
    weights = [1.0] * n if sample.weights is None else sample.weights
    return list(zip(sample.values, weights, flagged, strict=True))

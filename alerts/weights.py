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

    `bad` says of each of the sample's values whether it counts. Without weights the counts are
    those of the values. With weights w they are c sum w over the bad ones and c sum w over all, so
    that a share is a share of weight, and the counts of segments or of hours may be added up. The
    factor c is the worth of one score: Kish's effective size over their number, or, where the usual
    `rates` p_f and p_n of the hour's buckets are known, with W_b their shares of the M outputs, n_b
    their numbers of scores and n = n_f + n_n,

        c n = p (1 - p) / [sum_b W_b^2 p_b (1 - p_b) / n_b + W_f W_n (p_f - p_n)^2 / M],
        p = sum_b W_b p_b,

    the number of independent outputs whose share varies as much as the weighted one (two-phase
    sampling for stratification, Cochran, Sampling Techniques, 3rd ed., section 12.2), at most M.
    Where the flags tell bad outputs from good ones c is more than 1.
    """
    if sample.weights is None or (sample.buckets is None and not unequal(sample.weights)):
        return float(np.count_nonzero(bad)), float(len(bad))
    weights = np.asarray(sample.weights, dtype=np.float64)
    if sample.buckets is None:
        worth = effective_size(weights) / float(weights.sum())
    else:
        worth = _worth(sample.buckets, rates)
    return worth * float(weights[bad].sum()), worth * float(weights.sum())


def _worth(hour: Buckets, rates: BucketRates | None) -> float:
    n, share = hour.n_flagged + hour.n_normal, hour.flagged_share
    per_flagged, per_normal = share**2 / hour.n_flagged, (1 - share) ** 2 / hour.n_normal
    if rates is None:
        return 1 / (n * (per_flagged + per_normal))
    usual = share * rates.flagged + (1 - share) * rates.normal
    variance = (
        per_flagged * rates.flagged * (1 - rates.flagged)
        + per_normal * rates.normal * (1 - rates.normal)
        + share * (1 - share) * (rates.flagged - rates.normal) ** 2 / hour.outputs
    )
    return min(usual * (1 - usual) / variance, hour.outputs) / n


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

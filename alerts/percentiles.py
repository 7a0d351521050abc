"""Sample quantiles with limits that hold for every distribution, ties and pass/fail included."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.binomial import limit_indices
from alerts.weights import effective_size, unequal
from tailwatch.alert import Quantile

_ONE_SIDED_ERROR = 0.05
_ROUNDING = 1e-9


def quantile(
    values: Sequence[float] | NDArray[Any],
    probability: float,
    weights: Sequence[float] | NDArray[Any] | None = None,
) -> Quantile:
    """The sample quantile of `values`, with distribution-free 95 % confidence limits.

    The value is the inverse of the empirical distribution function: the smallest x that at least
    the share `probability` (above 0, below 1) of the values do not exceed. It is always one of the
    values: coarse scores are never interpolated. It is None below `least_n(probability)` values.
    The limits are order statistics with binomial coverage of at least 95 % together, 97.5 % each;
    one is None where too few values exist for it. Raises ValueError for another probability.

    Where `weights` are not all equal, shares are shares of weight, n is Kish's effective size, and
    the limits are Woodruff's: the binomial limits of the share at that n, taken through the inverse
    of the weighted distribution function (Woodruff, JASA 47, 1952).
    """
    array = np.asarray(values, dtype=np.float64)
    if weights is not None and unequal(weights):
        return _weighted(array, np.asarray(weights, dtype=np.float64), probability)
    return quantile_of_sorted(np.sort(array), probability)


def quantile_of_sorted(ordered: NDArray[np.float64], probability: float) -> Quantile:
    """The same as `quantile`, of values in ascending order and of equal weight."""
    n = len(ordered)
    if n < least_n(probability):
        return Quantile(probability=probability, value=None)
    low, high = limit_indices(n, probability)
    return Quantile(
        probability=probability,
        value=float(ordered[rank(n, probability) - 1]),
        low=None if low is None else float(ordered[low]),
        high=None if high is None else float(ordered[high]),
    )


def value_at(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None, probability: float
) -> float:
    """The smallest of the values that at least so much of the weight does not exceed.

    The share is compared exactly where the weights are equal (None). Raises ValueError for no
    values.
    """
    if not len(values):
        raise ValueError("no values; a quantile needs at least one")
    order = np.argsort(values, kind="stable")
    if weights is None or not unequal(weights):
        return float(values[order[rank(len(values), probability) - 1]])
    share = np.cumsum(weights[order]) / weights.sum()
    index = int(np.searchsorted(share, probability - _ROUNDING))
    return float(values[order[min(index, len(values) - 1)]])


def _weighted(
    values: NDArray[np.float64], weights: NDArray[np.float64], probability: float
) -> Quantile:
    n = int(effective_size(weights) + _ROUNDING)
    if n < least_n(probability):
        return Quantile(probability=probability, value=None)
    low, high = limit_indices(n, probability)

    def limit(index: int | None) -> float | None:
        # The middle of an order statistic's step: rounding does not move it to the next one.
        return None if index is None else value_at(values, weights, (index + 0.5) / n)

    return Quantile(
        probability=probability,
        value=value_at(values, weights, probability),
        low=limit(low),
        high=limit(high),
    )


def rank(n: int, probability: float) -> int:
    """The smallest k, from 1, with k / n >= probability."""
    k = max(1, math.ceil(n * probability))
    return k - 1 if k > 1 and (k - 1) / n >= probability else k


def least_n(probability: float) -> int:
    """How many values a quantile needs before it is shown: 29 for P10, 59 for P5, 299 for P1.

    With fewer, not even the most extreme value is a one-sided 95 % limit on the quantile's tail
    side: (1 - tail) ** n > 0.05, where tail is the smaller of probability and 1 - probability.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability is {probability}; it must be above 0 and below 1")
    tail = min(probability, 1 - probability)
    return math.ceil(math.log(_ONE_SIDED_ERROR) / math.log1p(-tail))

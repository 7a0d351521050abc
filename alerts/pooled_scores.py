"""The scores of many hours with what each stands for, as arrays: what a baseline learns from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.weights import BucketRates, effective_size
from tailwatch.alert import ScoreSample

LEAST_BUCKET = 100
"""Scores of flagged and of normal outputs without which their usual shares are not known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledScores:
    """Scores, how many outputs each stands for, and whether its trace was flagged.

    `bucketed` is False for those of hours that do not tell flagged traces from others.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    bucketed: NDArray[np.bool_]

    @property
    def size(self) -> float:
        """The effective number of scores; see `effective_size`."""
        return effective_size(self.weights)

    def share(self, bad: NDArray[np.bool_]) -> float:
        """The bad ones' share of the weight. Raises ZeroDivisionError for no scores."""
        return float(self.weights[bad].sum()) / float(self.weights.sum())

    def rates(self, bad: NDArray[np.bool_]) -> BucketRates | None:
        """The shares (r + 1/2) / (n + 1) that are bad of normal and of flagged outputs.

        None where either bucket has fewer than 100 scores.
        """
        rates = []
        for flagged in (False, True):
            bucket = self.bucketed & (self.flagged == flagged)
            n = int(np.count_nonzero(bucket))
            if n < LEAST_BUCKET:
                return None
            rates.append((np.count_nonzero(bad & bucket) + 0.5) / (n + 1))
        return BucketRates(normal=rates[0], flagged=rates[1])


def pooled_scores(hours: Iterable[ScoreSample]) -> PooledScores:
    """All scores of the hours; those of an hour without weights weigh 1 each."""
    return joined(_of_hour(hour) for hour in hours if len(hour.values))


def joined(parts: Iterable[PooledScores]) -> PooledScores:
    """The scores of all the parts together."""
    rows = list(parts)
    return PooledScores(
        values=np.concatenate([np.empty(0), *(row.values for row in rows)]),
        weights=np.concatenate([np.empty(0), *(row.weights for row in rows)]),
        flagged=np.concatenate([np.empty(0, dtype=bool), *(row.flagged for row in rows)]),
        bucketed=np.concatenate([np.empty(0, dtype=bool), *(row.bucketed for row in rows)]),
    )


def _of_hour(hour: ScoreSample) -> PooledScores:
    n = len(hour.values)
    flagged = np.zeros(n) if hour.buckets is None else hour.buckets.flagged
    return PooledScores(
        values=np.asarray(hour.values, dtype=np.float64),
        weights=np.ones(n) if hour.weights is None else np.asarray(hour.weights, dtype=np.float64),
        flagged=np.asarray(flagged, dtype=np.bool_),
        bucketed=np.full(n, hour.buckets is not None),
    )

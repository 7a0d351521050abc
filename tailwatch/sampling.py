"""Sampling by a hash of the trace id, never by a coin.

A trace's position in [0, 1) depends on its id and on the cohort's name alone, so every machine and
every rerun takes the same traces, and of each bucket a smaller sample lies inside a larger one.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tailwatch.buckets import LEAST_PLACES, MOST_FLAGGED, flagged_places

DEFAULT_COHORT = "tailwatch"


def position(trace_id: str, cohort: str = DEFAULT_COHORT) -> float:
    """Where the trace stands in its cohort: uniform over [0, 1), fixed for ever.

    The first 53 bits of BLAKE2b keyed by the cohort, as a float without rounding.
    """
    key = hashlib.blake2b(cohort.encode(), digest_size=16).digest()
    digest = hashlib.blake2b(
        trace_id.encode("utf-8", "surrogatepass"), digest_size=8, key=key
    ).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDesign:
    """How many traces of an hour an evaluator sees: a share of them, a target number, or all.

    `rate` keeps each trace with that probability (position below the rate). `per_hour` keeps the
    traces of the hour with the smallest positions: k of the M in each bucket (bottom-k), with
    probability k / M. With both, whichever takes fewer. `flagged_share` is the share of the budget
    that goes to flagged traces where it is more than their share of the traffic; None is "as much
    as last week's rates say is best".
    Raises ValueError for a rate outside (0, 1], a target below 1 and a share outside [0, 1/3].
    """

    rate: float | None = None
    per_hour: int | None = None
    cohort: str = DEFAULT_COHORT
    flagged_share: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError(f"sampling rate is {self.rate}; it must be above 0 and at most 1")
        if self.per_hour is not None and self.per_hour < 1:
            raise ValueError(f"sampling per_hour is {self.per_hour}; it must be 1 or more")
        if self.flagged_share is not None and not 0 <= self.flagged_share <= MOST_FLAGGED:
            raise ValueError(
                f"sampling flagged_share is {self.flagged_share}; it must be from 0 to 1/3"
            )

    @property
    def learns(self) -> bool:
        """Whether the share of flagged traces follows from last week's rates."""
        return self.per_hour is not None and self.flagged_share is None

    def select(
        self,
        trace_ids: Iterable[str],
        flagged: Collection[str] = frozenset(),
        learned_share: float | None = None,
    ) -> dict[str, float]:
        """The sampled ids of one hour, by position, each with its inclusion probability.

        `flagged` are the flagged ids (a set, or something as fast); `learned_share` is the share of
        the budget they get if the design leaves it open, None for their share of the traffic. An
        hour without both kinds, or with fewer than three places, has a single bucket.
        """
        ids = set(trace_ids)
        ranked = sorted((position(trace_id, self.cohort), trace_id) for trace_id in ids)
        probability = 1.0 if self.rate is None else self.rate
        kept = [trace_id for place, trace_id in ranked if place < probability]
        if self.per_hour is None or len(kept) <= self.per_hour:
            return dict.fromkeys(kept, probability)
        share = learned_share if self.flagged_share is None else self.flagged_share
        return _by_bucket([trace_id for _, trace_id in ranked], flagged, self.per_hour, share)


def _by_bucket(
    ranked: list[str], flagged: Collection[str], budget: int, share: float | None
) -> dict[str, float]:
    """The first ids of each bucket, in their order, with the bucket's sampled share."""
    sizes = {True: sum(i in flagged for i in ranked)}
    sizes[False] = len(ranked) - sizes[True]
    if budget < LEAST_PLACES or not all(sizes.values()):
        return dict.fromkeys(ranked[:budget], budget / len(ranked))
    places = {True: flagged_places(budget, sizes[True], sizes[False], share)}
    places[False] = budget - places[True]
    left, sample = dict(places), {}
    for trace_id in ranked:
        bucket = trace_id in flagged
        if left[bucket]:
            left[bucket] -= 1
            sample[trace_id] = places[bucket] / sizes[bucket]
    return sample

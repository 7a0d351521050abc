"""Sampling by a hash of the trace id, never by a coin.

A trace's position in [0, 1) depends on its id and on the cohort's name alone, so every machine and
every rerun takes the same traces, and a smaller sample of a cohort lies inside a larger one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

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

    `rate` keeps each trace with that probability (position below the rate). `per_hour` keeps the k
    traces of the hour with the smallest positions (bottom-k), each with probability k of M.
    With both, whichever takes fewer.
    Raises ValueError for a rate outside (0, 1] and a target below 1.
    """

    rate: float | None = None
    per_hour: int | None = None
    cohort: str = DEFAULT_COHORT

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError(f"sampling rate is {self.rate}; it must be above 0 and at most 1")
        if self.per_hour is not None and self.per_hour < 1:
            raise ValueError(f"sampling per_hour is {self.per_hour}; it must be 1 or more")

    def select(self, trace_ids: Iterable[str]) -> dict[str, float]:
        """The sampled ids of one hour, by position, each with its inclusion probability."""
        ids = set(trace_ids)
        ranked = sorted((position(trace_id, self.cohort), trace_id) for trace_id in ids)
        probability = 1.0 if self.rate is None else self.rate
        kept = [trace_id for place, trace_id in ranked if place < probability]
        if self.per_hour is not None and len(kept) > self.per_hour:
            kept, probability = kept[: self.per_hour], self.per_hour / len(ids)
        return dict.fromkeys(kept, probability)

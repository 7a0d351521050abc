"""Two buckets of traces, from what a listing tells for nothing: flagged traces and normal ones.

The numbers of both in an hour are known exactly, so an estimate from a sample of each, put together
by them, varies less than one from a sample of all traces.
"""

import math
from dataclasses import dataclass

from tailwatch.trace import Status, TraceRef

SIGNALS = ("flagged", "thumbs_down")
"""Measures of 0 or 1 that follow from a listing: whether the trace is flagged, and, where a user
gave a thumb, whether it was down."""

MOST_FLAGGED = 1 / 3
"""The share of a budget that flagged traces may get beyond their share of the traffic."""

LEAST_PLACES = 3
"""With fewer, one place for the flagged traces would be more than a third of them."""

WORTHWHILE = 0.9
"""Flagged traces get more than their share only if that takes the variance below so much of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualLength:
    """The output tokens, from `low` to `high`, both included, of which none is odd."""

    low: int
    high: int


def is_flagged(
    usual: UsualLength | None,
    status: str | None,
    error_type: str | None,
    thumb: float | None,
    retried: bool | None,
    output_tokens: int | None,
) -> bool:
    """Whether a trace ended in an error, got a thumb down or a retry, or has an odd length.

    What is not known flags nothing; no length is odd without a usual one.
    """
    if status == Status.ERROR or error_type is not None or retried:
        return True
    if thumb is not None and thumb < 0:
        return True
    if usual is None or output_tokens is None:
        return False
    return not usual.low <= output_tokens <= usual.high


def flags(ref: TraceRef, usual: UsualLength | None) -> bool:
    """Whether a listed trace is flagged."""
    return is_flagged(usual, ref.status, ref.error_type, ref.thumb, ref.retried, ref.output_tokens)


def flagged_places(budget: int, flagged: int, normal: int, share: float | None = None) -> int:
    """How many of `budget` places go to the flagged traces of an hour that has more than `budget`.

    In proportion to the traffic, or the `share` of the budget where that is more, up to a third;
    at least one place for each bucket, and never more than it has traces. One more place goes to
    one bucket more, so a smaller budget's sample lies inside a larger one's. Normal traces are
    taken at two thirds of the uniform rate or more where there are four places or more.

    The budget is 3 or more, and neither bucket empty.
    """
    proportional = flagged / (flagged + normal)
    part = max(proportional, min(share or 0.0, MOST_FLAGGED))
    places = math.floor(budget * part + 0.5)
    return max(1, budget - normal, min(places, budget - 1, flagged))


def neyman_share(flagged_share: float, flagged_rate: float, normal_rate: float) -> float | None:
    """The share of the budget with which flagged traces are best sampled; None for proportionally.

    `flagged_share` is their share of the traffic, W_f; the rates p_f and p_n are the shares of bad
    outputs in the buckets. The best share goes as W_b sqrt(p_b (1 - p_b)) (Neyman, JRSS 97, 1934),
    and is at most a third. It is used where it is more than W_f and takes the predicted variance of
    the bad share, the sum of W_b^2 p_b (1 - p_b) / share_b, below 0.9 of what proportional
    sampling has for nothing.
    """
    deviations = (
        math.sqrt(flagged_rate * (1 - flagged_rate)),
        math.sqrt(normal_rate * (1 - normal_rate)),
    )
    wanted = flagged_share * deviations[0], (1 - flagged_share) * deviations[1]
    if not 0 < flagged_share < MOST_FLAGGED or not sum(wanted):
        return None
    share = min(wanted[0] / sum(wanted), MOST_FLAGGED)
    if share <= flagged_share:
        return None
    proportional = wanted[0] ** 2 / flagged_share + wanted[1] ** 2 / (1 - flagged_share)
    allocated = wanted[0] ** 2 / share + wanted[1] ** 2 / (1 - share)
    return share if allocated < WORTHWHILE * proportional else None

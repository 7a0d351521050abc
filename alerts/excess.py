"""Too many bad outputs: how many more than tolerated, how sure, and since when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts import wording
from alerts.binomial import at_least
from tailwatch.alert import FindingStatus
from tailwatch.window import Window

FURTHER_SHARES = (0.03, 0.06, 0.12, 0.25, 0.5)
"""How much further bad share the onset is looked for: the small, the middling and the large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCount:
    """`bad` of the `n` outputs of one hour."""

    window: Window
    bad: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """`bad` of `n` against a tolerated share, with the one-sided exact binomial p-value.

    `onset` is the estimated first bad hour of a breach, None without one; `onset_or_earlier` says
    that the hours looked at were bad from their very start.
    """

    status: FindingStatus
    bad: int
    n: int
    p_value: float
    onset: datetime | None = None
    onset_or_earlier: bool = False

    @property
    def share(self) -> float:
        """The observed share, from 0 to 1. Raises ZeroDivisionError when `n` is 0."""
        return self.bad / self.n

    @property
    def since(self) -> str:
        """The sentence about the onset; empty without one."""
        if self.onset is None:
            return ""
        if self.onset_or_earlier:
            return f"Since {wording.moment(self.onset)} or earlier."
        return f"Since about {wording.moment(self.onset)}."


def excess(
    bad: int,
    n: int,
    history: Iterable[HourCount],
    *,
    tolerated: float,
    alpha: float,
    least_n: int,
) -> Excess:
    """Whether `bad` of `n` outputs surely exceed the `tolerated` share, and since when.

    BREACH when the p-value is below `alpha`, else OK; NO_DATA below `least_n` outputs or when not
    even all of them being bad would be a breach. `history` is the tested hours, oldest first, and
    as many before them as the onset shall be looked for in; it is read only for a breach.
    """
    p_value = at_least(bad, n, tolerated)
    if n < least_n or at_least(n, n, tolerated) >= alpha:
        return Excess(status=FindingStatus.NO_DATA, bad=bad, n=n, p_value=p_value)
    if p_value >= alpha:
        return Excess(status=FindingStatus.OK, bad=bad, n=n, p_value=p_value)
    # The observed share is one of the alternatives, so that a small but sure excess has its own.
    observed = (bad / n - tolerated) / (1 - tolerated)
    hours = list(history)
    first = onset(
        np.array([hour.bad for hour in hours]),
        np.array([hour.n for hour in hours]),
        tolerated,
        further=(*FURTHER_SHARES, min(observed, 0.999)),
    )
    return Excess(
        status=FindingStatus.BREACH,
        bad=bad,
        n=n,
        p_value=p_value,
        onset=hours[first].window.start,
        onset_or_earlier=first == 0,
    )


def onset(
    bad: NDArray[np.int_],
    n: NDArray[np.int_],
    tolerated: float,
    further: Sequence[float] = FURTHER_SHARES,
) -> int:
    """The index of the hour in which the bad share most plausibly rose above `tolerated`.

    The last zero of the CUSUM S_t = max(0, S_(t-1) + L_t) of the binomial log-likelihood ratio
    L = bad log(a / p) + (n - bad) log((1 - a) / (1 - p)), p = tolerated, a = p + d (1 - p), for
    the d of `further` whose S is largest at the end (Page, Biometrika 41, 1954). Hours without
    outputs add nothing: an onset after a gap is the first hour that had outputs again.
    """
    p = tolerated
    a = p + np.array(further, dtype=np.float64) * (1 - p)
    ratio = np.outer(bad, np.log(a / p)) + np.outer(n - bad, np.log((1 - a) / (1 - p)))
    level = np.zeros(len(a))
    start = np.zeros(len(a), dtype=np.int_)
    for hour, step in enumerate(ratio):
        if n[hour]:
            start = np.where(level <= 0, hour, start)
            level = np.maximum(0.0, level + step)
    return int(start[int(np.argmax(level))])

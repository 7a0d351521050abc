"""Too many bad outputs: how many more than tolerated, how sure, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alerts import wording
from alerts.binomial import at_least
from alerts.cusum import FURTHER_SHARES, log_ratio, onset, worse
from tailwatch.alert import FindingStatus
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCount:
    """`bad` of the `n` outputs of one hour; effective counts where scores have weights."""

    window: Window
    bad: float
    n: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """`bad` of `n` against a tolerated share, with the one-sided exact binomial p-value.

    `onset` is the estimated first bad hour of a breach, None without one; `onset_or_earlier` says
    that the hours looked at were bad from their very start.
    """

    status: FindingStatus
    bad: float
    n: float
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
    bad: float,
    n: float,
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
    hourly_n = np.array([hour.n for hour in hours])
    hourly_bad = np.array([hour.bad for hour in hours])
    alternatives = worse(tolerated, (*FURTHER_SHARES, min(observed, 0.999)))
    ratios = log_ratio(hourly_bad[:, None], hourly_n[:, None], tolerated, alternatives)
    first = onset(ratios, hourly_n > 0)
    return Excess(
        status=FindingStatus.BREACH,
        bad=bad,
        n=n,
        p_value=p_value,
        onset=hours[first].window.start,
        onset_or_earlier=first == 0,
    )

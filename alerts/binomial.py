"""Exact binomial probabilities: how surprising a count is, and which order statistics bound what.

`n` independent outputs are each bad with probability `p`; X is the number of bad ones. Effective
counts need not be whole: the incomplete beta function continues the probabilities between them.
"""

from bisect import bisect_left
from functools import lru_cache

from alerts.special import bdtr, bdtrc, betainc, betaincinv


def at_least(bad: float, n: float, p: float) -> float:
    """P(X >= bad): the one-sided p-value of `bad` in `n` under the hypothesis "at most `p`"."""
    return 1.0 if bad <= 0 else betainc(bad, n - bad + 1, p)


def upper_limit(bad: float, n: float, confidence: float = 0.95) -> float:
    """The one-sided Clopper-Pearson upper limit of the share behind `bad` in `n`; 1 when n is 0.

    Clopper and Pearson, Biometrika 26 (1934): the beta quantile with bad + 1 and n - bad.
    """
    return 1.0 if bad >= n else betaincinv(bad + 1, n - bad, confidence)


@lru_cache(maxsize=65_536)
def limit_indices(n: int, p: float, confidence: float = 0.95) -> tuple[int | None, int | None]:
    """The indices, from 0, of the order statistics that bound the `p` quantile on both sides.

    With X ~ Bin(n, p) and a = (1 - confidence) / 2, the lower limit is the largest x_(j) with
    P(X < j) <= a and the upper one the smallest with P(X >= j) <= a (Conover, Practical
    Nonparametric Statistics, 3rd ed., section 3.2). None where n is too small for a limit.
    """
    a = (1 - confidence) / 2
    low = bisect_left(range(n), a, key=lambda k: bdtr(k, n, p)) - 1
    high = bisect_left(range(n), -a, key=lambda k: -bdtrc(k, n, p))
    return (low if low >= 0 else None, high if high < n else None)

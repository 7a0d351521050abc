"""A lasting improvement: the same evidence on the mirrored counts. It proposes, it never alerts."""

from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.evidence import follow
from alerts.lines import Counts, Lines, share_limits

_MOST = 1 - 1e-6


def improved_since(
    counts: Counts, lines: Lines, alert_at: float, tolerance: float = 0.1
) -> datetime | None:
    """The hour since which the outputs have been better than in the baseline; None if they are not.

    Good outputs count as bad ones do for a regression. Tolerated is a bad share p / (1 + tolerance)
    or p lowered by the odds ratio that takes the monitor's total to its lower limit (that of
    `share_limits`), whichever is less.
    """
    bad, n = lines.baseline_bad, lines.baseline_n
    least = 1 - share_limits(n - bad, n, lines.effect)
    ratio = _odds(np.clip(least, 1 - _MOST, _MOST)) / _odds((bad + 0.5) / (n + 1))
    odds = _odds(lines.usual) * ratio
    lowest = np.minimum(odds / (1 + odds), lines.usual / (1 + tolerance))
    course = follow(
        Counts(starts=counts.starts, bad=counts.n - counts.bad, n=counts.n),
        replace(lines, usual=1 - lines.usual, tolerated=np.minimum(1 - lowest, _MOST)),
        alert_at,
    )
    last = course.incidents[-1] if course.incidents else None
    return counts.starts[last.onset] if last is not None and last.resolved is None else None


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share / (1 - share)

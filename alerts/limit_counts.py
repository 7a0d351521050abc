"""The hours of a series counted against a given line, and how much they differ by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.lines import Line, beyond
from tailwatch.alert import ScoreSample

LEAST_HOURS = 48
"""Hours with outputs without which nobody can say how much hours differ."""

_SPANS = (1, 6)
_KEPT = 0.8
_MEAN_OF_KEPT = 0.438
"""The mean of the smallest 80 % of a chi-square distribution with one degree of freedom."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitCounts:
    """What became of a series in each hour, oldest first; arrays over hours.

    `bad` of `n` outputs are beyond the line, effective counts where the hour's scores have weights
    (`weighted`); `scored`, `skipped` and `failed` are whole numbers of outputs.
    """

    starts: tuple[datetime, ...]
    bad: _Floats
    n: _Floats
    scored: NDArray[np.int_]
    skipped: NDArray[np.int_]
    failed: NDArray[np.int_]
    weighted: NDArray[np.bool_]

    def between(self, first: int, end: int, *, forget: int = 0) -> "LimitCounts":
        """The hours from `first` up to `end`, those before the place `forget` as if empty."""
        hours = slice(first, end)
        kept = np.arange(first, end) >= forget
        return LimitCounts(
            starts=self.starts[hours],
            bad=self.bad[hours] * kept,
            n=self.n[hours] * kept,
            scored=self.scored[hours] * kept,
            skipped=self.skipped[hours] * kept,
            failed=self.failed[hours] * kept,
            weighted=self.weighted[hours] & kept,
        )


def limit_counts(hours: Sequence[ScoreSample], line: Line) -> LimitCounts:
    """The counts of these hours of one series and segment."""
    counts = [beyond(hour, [line]) if len(hour.values) else None for hour in hours]
    return LimitCounts(
        starts=tuple(hour.window.start for hour in hours),
        bad=np.array([0.0 if c is None else float(c[0][0]) for c in counts]),
        n=np.array([0.0 if c is None else float(c[1][0]) for c in counts]),
        scored=np.array([len(hour.values) for hour in hours], dtype=np.int_),
        skipped=np.array([hour.skipped for hour in hours], dtype=np.int_),
        failed=np.array([hour.failed for hour in hours], dtype=np.int_),
        weighted=np.array([hour.weights is not None for hour in hours], dtype=np.bool_),
    )


def design_effect(bad: _Floats, n: _Floats) -> float:
    """How many times more variable the counts are than those of independent outputs, at least 1.

    Every hour must have outputs; 1 for fewer than 48 hours. It is estimated from the changes of
    the bad share from one hour to the next, and of six hours against the six before, whichever
    says more: the mean of their squares over the variance that independent outputs would have,
    the largest fifth left out, so that an incident, which is a change or two, is none of it.
    """
    if len(n) < LEAST_HOURS:
        return 1.0
    share = (bad.sum() + 0.5) / (n.sum() + 1)
    return max(1.0, *(_changes(bad, n, share, span) for span in _SPANS))


def _changes(bad: _Floats, n: _Floats, share: float, span: int) -> float:
    window = np.ones(span)
    bad_of, n_of = np.convolve(bad, window, "valid"), np.convolve(n, window, "valid")
    change = bad_of[span:] / n_of[span:] - bad_of[:-span] / n_of[:-span]
    variance = share * (1 - share) * (1 / n_of[span:] + 1 / n_of[:-span])
    squares = np.sort(change**2 / variance)
    return float(squares[: int(np.ceil(_KEPT * len(squares)))].mean()) / _MEAN_OF_KEPT

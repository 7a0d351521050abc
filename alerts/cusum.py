"""Since when: the last zero of a CUSUM of binomial log-likelihood ratios."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FURTHER_SHARES = (0.03, 0.06, 0.12, 0.25, 0.5)
"""The alternatives "a further d of all outputs turned bad": small, middling and large."""


def worse(tolerated: NDArray[np.float64] | float, further: Sequence[float]) -> NDArray[np.float64]:
    """The share a = p + d (1 - p) for each `tolerated` share p (any shape) and, last, each d."""
    p = np.asarray(tolerated, dtype=np.float64)[..., None]
    return p + np.asarray(further, dtype=np.float64) * (1 - p)


def log_ratio(
    bad: NDArray[Any],
    n: NDArray[Any],
    share: NDArray[np.float64] | float,
    alternative: NDArray[np.float64],
) -> NDArray[np.float64]:
    """k log(a / p) + (n - k) log((1 - a) / (1 - p)): how much rather `alternative` than `share`.

    The four are broadcast together; shares are above 0 and below 1.
    """
    p, a = share, alternative
    return np.asarray(bad * np.log(a / p) + (n - bad) * np.log((1 - a) / (1 - p)), dtype=np.float64)


def onset(ratios: NDArray[np.float64], has_outputs: NDArray[np.bool_]) -> int:
    """The index of the hour in which things most plausibly changed.

    `ratios` has the log-likelihood ratio of each hour (rows) for each alternative (columns). It is
    the last zero of S_t = max(0, S_(t-1) + L_t) of the alternative whose S is largest at the end
    (Page, Biometrika 41, 1954). Hours without outputs add nothing: an onset after a gap is the
    first hour that had outputs again.
    """
    level = np.zeros(ratios.shape[1])
    start = np.zeros(ratios.shape[1], dtype=np.int_)
    for hour in np.flatnonzero(has_outputs):
        start = np.where(level <= 0, hour, start)
        level = np.maximum(0.0, level + ratios[hour])
    return int(start[int(np.argmax(level))])

"""What a baseline says is normal: the lines that bad outputs fall beyond, and how many do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.binomial import upper_limit
from alerts.percentiles import value_at
from alerts.pooled_scores import PooledScores, joined, pooled_scores
from alerts.weights import BucketRates, effective_counts
from tailwatch.alert import Direction, ScoreSample, Segment

LEVELS = (0.02, 0.05, 0.1, 0.25)
"""The baseline shares at which lines are drawn: severe changes show at the first ones, mild at the
last."""

LEAST_BASELINE = 500
"""Scored outputs without which there is no baseline."""

LEAST_SEGMENT = 200
"""Scored outputs without which a segment has no lines of its own."""

_LEAST_BEYOND = 10
"""A line needs so many baseline outputs beyond it: 500 outputs for the 2 % level."""

_BLOCKS = (1, 6)
_CONFIDENCE = 0.99
"""A project has hundreds of monitors: at 95 % some of their true shares would not be tolerated, and
each of those raises an alert sooner or later."""

_MOST_BAD = 0.5

Cells = Mapping[Segment, Sequence[ScoreSample]]
"""The hours of each segment of a monitor; the segments share no output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Beyond `score` is bad, and so is `score` itself when `inclusive`.

    `rates` are the baseline's bad shares of normal and of flagged outputs, where known.
    """

    score: float
    inclusive: bool
    direction: Direction
    rates: BucketRates | None = None

    def beyond(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the values are bad."""
        if self.direction is Direction.HIGHER_IS_BETTER:
            return values <= self.score if self.inclusive else values < self.score
        return values >= self.score if self.inclusive else values > self.score

    def bad(self, values: NDArray[np.float64]) -> int:
        """How many of the values are beyond the line."""
        return int(np.count_nonzero(self.beyond(values)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """The lines of a monitor: a row for each of `segments` and a last one for all the others.

    `lines[row][level]` is None where the row has too few outputs for the level. `usual` and
    `tolerated` (rows x levels) are the share of outputs that is bad in the baseline and the share
    up to which nothing is said. `effect` (levels) is how many times more variable the baseline's
    counts were than those of independent outputs, at least 1. `baseline_bad` of the `baseline_n`
    outputs (levels) of the whole monitor were bad. Where outputs have weights all shares are shares
    of weight, and numbers of outputs are effective ones.
    """

    segments: tuple[Segment, ...]
    lines: tuple[tuple[Line | None, ...], ...]
    usual: NDArray[np.float64]
    tolerated: NDArray[np.float64]
    effect: NDArray[np.float64]
    baseline_bad: NDArray[np.float64]
    baseline_n: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """`bad` of `n` outputs by hour, row of the lines, and level; hours are oldest first.

    They are whole unless the hour's scores have weights: then they are effective counts. `n` is 0
    at the levels for which the row has no line.
    """

    starts: tuple[datetime, ...]
    bad: NDArray[np.float64]
    n: NDArray[np.float64]


def learn(
    baseline: Cells,
    direction: Direction,
    *,
    levels: Sequence[float] = LEVELS,
    tolerance: float = 0.1,
    least: int = LEAST_BASELINE,
) -> Lines | None:
    """The lines of a monitor from the hours of its baseline; None below `least` scored outputs.

    A segment has its own lines from 200 outputs on, and one at the 2 % level from 500 on. The
    others share lines, learned from them together when they have 200 outputs, else from all.
    The usual share is p = (r + 1/2) / (B + 1); tolerated is the larger of (1 + tolerance) p and p
    raised by the odds ratio that takes the monitor's total to its limit (`share_limits`).
    The effect is the Pearson dispersion of the baseline's counts, the larger of that over hours
    and that over blocks of six.
    """
    cells = {segment: pooled_scores(hours) for segment, hours in baseline.items()}
    everything = joined(cells.values())
    if everything.size < max(1, least):
        return None
    own = tuple(segment for segment, row in cells.items() if row.size >= LEAST_SEGMENT)
    others = joined(row for segment, row in cells.items() if segment not in own)
    rows = [*(cells[s] for s in own), others if others.size >= LEAST_SEGMENT else everything]
    lines = tuple(tuple(tail_line(row, level, direction) for level in levels) for row in rows)
    usual = np.array(
        [[_usual(row, line) for line in by] for row, by in zip(rows, lines, strict=True)]
    )
    counts = count(baseline, own, lines)
    effect = np.maximum(1.0, np.max([_dispersion(counts, usual, b) for b in _BLOCKS], axis=0))
    bad, n = counts.bad.sum(axis=(0, 1)), counts.n.sum(axis=(0, 1))
    odds = _odds(usual) * _odds(share_limits(bad, n, effect)) / _odds((bad + 0.5) / (n + 1))
    return Lines(
        segments=own,
        lines=lines,
        usual=usual,
        tolerated=np.maximum(odds / (1 + odds), (1 + tolerance) * usual),
        effect=effect,
        baseline_bad=bad,
        baseline_n=n,
    )


def share_limits(
    bad: NDArray[np.float64], n: NDArray[np.float64], effect: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By level, the one-sided 99 % Clopper-Pearson limit of the share behind `bad` of `n` outputs.

    Outputs whose counts vary `effect` times as much as those of independent ones are worth so many
    times fewer: bad / effect of n / effect. Without outputs it is a half.
    """
    counted = zip(bad / effect, n / effect, strict=True)
    return np.array([upper_limit(r, b, _CONFIDENCE) if b else _MOST_BAD for r, b in counted])


def count(
    cells: Cells, segments: Sequence[Segment], lines: Sequence[Sequence[Line | None]]
) -> Counts:
    """The bad outputs of every hour; `segments` and `lines` are those of a `Lines`."""
    starts = tuple(sorted({hour.window.start for hours in cells.values() for hour in hours}))
    index = {start: i for i, start in enumerate(starts)}
    bad = np.zeros((len(starts), len(lines), len(lines[0])))
    n = np.zeros_like(bad)
    for segment, hours in cells.items():
        row = segments.index(segment) if segment in segments else len(segments)
        for hour in hours:
            hour_bad, hour_n = beyond(hour, lines[row])
            bad[index[hour.window.start], row] += hour_bad
            n[index[hour.window.start], row] += hour_n
    return Counts(starts=starts, bad=bad, n=n)


def beyond(
    hour: ScoreSample, lines: Sequence[Line | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many of the hour's outputs are bad, and of how many, by level; both 0 without a line.

    Scores with weights enter as effective counts, at the usual rates of the line.
    """
    values = np.asarray(hour.values, dtype=np.float64)
    counts = np.zeros((2, len(lines)))
    for level, line in enumerate(lines):
        if line is not None:
            counts[:, level] = effective_counts(line.beyond(values), hour, line.rates)
    return counts[0], counts[1]


def tail_line(row: PooledScores, level: float, direction: Direction) -> Line | None:
    """The line at the smallest score c with F(c) >= level, never interpolated.

    "Beyond c" or "c and beyond" is bad, whichever has the baseline share nearer to the level on a
    log scale; the latter only while it is less than half of the outputs, so that the line of a
    pass/fail score is "failed" and never "failed or passed".
    """
    if level * row.size < _LEAST_BEYOND:
        return None
    sign = 1.0 if direction is Direction.HIGHER_IS_BETTER else -1.0
    score = sign * value_at(sign * row.values, row.weights, level)
    without, including = (
        Line(score=score, inclusive=inclusive, direction=direction) for inclusive in (False, True)
    )
    p, p_including = _usual(row, without), _usual(row, including)
    nearer = abs(np.log(p_including / level)) < abs(np.log(p / level))
    line = including if nearer and p_including < _MOST_BAD else without
    return replace(line, rates=row.rates(line.beyond(row.values)))


def _usual(row: PooledScores, line: Line | None) -> float:
    if line is None:
        return 0.5
    return (row.share(line.beyond(row.values)) * row.size + 0.5) / (row.size + 1)


def _dispersion(counts: Counts, usual: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """Per level, chi-square over its degrees of freedom of the counts over blocks of hours."""
    begin = np.arange(0, len(counts.starts), block)
    bad = np.add.reduceat(counts.bad.sum(axis=1), begin)
    expected = np.add.reduceat((counts.n * usual).sum(axis=1), begin)
    variance = np.add.reduceat((counts.n * usual * (1 - usual)).sum(axis=1), begin)
    seen = variance > 0
    square = np.divide((bad - expected) ** 2, variance, out=np.zeros_like(variance), where=seen)
    dispersion: NDArray[np.float64] = square.sum(axis=0) / np.maximum(1, seen.sum(axis=0) - 1)
    return dispersion


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share / (1 - share)

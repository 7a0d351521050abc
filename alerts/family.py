"""The monitors of one series: all its traffic and its segments, each against its own baseline."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alerts.lines import (
    LEAST_BASELINE,
    LEAST_SEGMENT,
    LEVELS,
    Cells,
    Lines,
    beyond,
    count,
    learn,
    share_limits,
)
from alerts.pooled_scores import pooled_scores
from alerts.weights import kept, scores
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment

LEAST_JOINED = 20
"""Outputs from which on a segment is a monitor."""

_MOST_TOLERATED = 0.95

CellCounts = Mapping[Segment, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""The bad outputs of an hour and of how many, by level, for each cell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """What a baseline of one series says about every monitor of it.

    `monitors` has the lines of all traffic, first, and of each segment that is known from the
    baseline; `project` those for segments that are not. The rows of all traffic are cells: the
    values of the field `partition` that have lines of their own, and, under the name ALL_TRAFFIC,
    all other outputs. Every other monitor is one cell.
    """

    direction: Direction
    levels: tuple[float, ...]
    partition: str
    monitors: Mapping[Segment, Lines]
    project: Lines

    def cells(self, segment: Segment) -> tuple[Segment, ...]:
        """The cells whose counts add up to the monitor's, in the order of its rows."""
        return self.monitors[ALL_TRAFFIC].segments if segment == ALL_TRAFFIC else (segment,)

    def lines(self, segment: Segment) -> Lines:
        """The segment's lines, the project's where the baseline does not know it."""
        return self.monitors.get(segment, self.project)

    def count(self, hour: Mapping[Segment, ScoreSample], most_values: int) -> CellCounts:
        """The counts of every cell in one hour, from its samples by segment.

        A value that the baseline does not have counts when it is among the `most_values` of its
        field with the most outputs in the hour.
        """
        everything = hour.get(ALL_TRAFFIC)
        if everything is None:
            return {}
        cells = self.cells(ALL_TRAFFIC)
        others = without(everything, [hour[cell] for cell in cells[:-1] if cell in hour])
        counts = {ALL_TRAFFIC: beyond(others, self.monitors[ALL_TRAFFIC].lines[-1])}
        for segment in [
            *(s for s in hour if s in self.monitors),
            *_newcomers(self, hour, most_values),
        ]:
            if segment != ALL_TRAFFIC:
                counts[segment] = beyond(hour[segment], self.lines(segment).lines[0])
        return counts


def learn_family(
    baseline: Cells,
    direction: Direction,
    *,
    levels: Sequence[float] = LEVELS,
    tolerance: float = 0.1,
    least: int = LEAST_BASELINE,
) -> Family | None:
    """The family from the hours of the baseline by segment, all traffic among them.

    None while all traffic has fewer than `least` scored outputs. The field that splits most of the
    outputs into segments of 200 or more makes the cells of all traffic. A smaller segment borrows
    the project's lines; it is tolerated what the project is, or the 95 % limit of its own share
    where that is more, so that one that was always worse raises no alert. One with fewer than 20
    outputs is not in the family.
    """
    everything = baseline.get(ALL_TRAFFIC, ())

    def learned(cells: Cells) -> Lines | None:
        return learn(cells, direction, levels=levels, tolerance=tolerance, least=least_of(cells))

    def least_of(cells: Cells) -> int:
        return least if ALL_TRAFFIC in cells else LEAST_SEGMENT

    project = learned({ALL_TRAFFIC: everything})
    if project is None:
        return None
    project = _rows(project, (ALL_TRAFFIC,))
    monitors: dict[Segment, Lines] = {}
    outputs = {s: sum(len(hour.values) for hour in hours) for s, hours in baseline.items()}
    for segment in sorted(s for s, n in outputs.items() if n >= LEAST_JOINED and s != ALL_TRAFFIC):
        own = learned({segment: baseline[segment]})
        monitors[segment] = (
            _borrowed(baseline[segment], segment, project, tolerance)
            if own is None
            else _rows(own, (segment,))
        )
    sizes = {s: pooled_scores(baseline[s]).size for s in monitors}
    partition = _partition({s: n for s, n in sizes.items() if n >= LEAST_SEGMENT})
    cells = tuple(s for s in monitors if s.field == partition and sizes[s] >= LEAST_SEGMENT)
    whole = learned(
        {cell: baseline[cell] for cell in cells} | {ALL_TRAFFIC: _others(baseline, cells)}
    )
    return Family(
        direction=direction,
        levels=tuple(levels),
        partition=partition,
        monitors={
            ALL_TRAFFIC: project if whole is None else _rows(whole, (*cells, ALL_TRAFFIC)),
            **monitors,
        },
        project=project,
    )


def without(whole: ScoreSample, parts: Sequence[ScoreSample]) -> ScoreSample:
    """The outputs of an hour that are in none of the parts, which are disjoint."""
    left = Counter(score for part in parts for score in scores(part))
    others = []
    for place, score in enumerate(scores(whole)):
        if left[score]:
            left[score] -= 1
        else:
            others.append(place)
    return kept(whole, others)


def _others(baseline: Cells, cells: Sequence[Segment]) -> list[ScoreSample]:
    by_hour: dict[object, list[ScoreSample]] = {}
    for cell in cells:
        for hour in baseline[cell]:
            by_hour.setdefault(hour.window, []).append(hour)
    return [without(hour, by_hour.get(hour.window, ())) for hour in baseline[ALL_TRAFFIC]]


def _partition(sizes: Mapping[Segment, float]) -> str:
    covered: defaultdict[str, float] = defaultdict(float)
    parts: Counter[str] = Counter()
    for segment, n in sizes.items():
        covered[segment.field] += n
        parts[segment.field] += 1
    split = [field for field in covered if parts[field] > 1]
    return max(split, key=lambda field: (covered[field], parts[field], field), default="")


def _rows(lines: Lines, cells: tuple[Segment, ...]) -> Lines:
    """The first rows of learned lines, called by these names."""
    rows = len(cells)
    return replace(
        lines,
        segments=cells,
        lines=lines.lines[:rows],
        usual=lines.usual[:rows],
        tolerated=lines.tolerated[:rows],
    )


def _borrowed(
    hours: Sequence[ScoreSample], segment: Segment, project: Lines, tolerance: float
) -> Lines:
    counted = count({segment: hours}, (segment,), project.lines)
    bad, n = counted.bad.sum(axis=(0, 1)), counted.n.sum(axis=(0, 1))
    share = np.divide(bad, n, out=np.zeros_like(bad), where=n > 0)
    usual = np.minimum(np.maximum(project.usual[0], share), _MOST_TOLERATED / (1 + tolerance))
    limits = np.where(n > 0, share_limits(bad, n, project.effect), 0.0)
    own = np.minimum(np.maximum(limits, (1 + tolerance) * usual), _MOST_TOLERATED)
    return replace(
        project,
        segments=(segment,),
        usual=usual[None, :],
        tolerated=np.maximum(own, project.tolerated),
        baseline_bad=bad,
        baseline_n=n,
    )


def _newcomers(
    family: Family, hour: Mapping[Segment, ScoreSample], most_values: int
) -> list[Segment]:
    by_field: dict[str, list[tuple[int, Segment]]] = {}
    for segment, sample in hour.items():
        if segment.field and sample.values:
            by_field.setdefault(segment.field, []).append((-len(sample.values), segment))
    return [
        segment
        for found in by_field.values()
        for _, segment in sorted(found)[:most_values]
        if segment not in family.monitors
    ]

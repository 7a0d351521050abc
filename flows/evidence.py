"""What a person looks at to judge an alert: traces of the incident, and good ones from before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts.canary import is_about_judge
from flows.marks import Mark, marks_near
from flows.parts import Parts
from storage.records import ScoredTrace
from tailwatch.alert import ALL_TRAFFIC, Alert, Direction, Segment
from tailwatch.window import HOUR, Window, floor_hour

BEFORE = timedelta(hours=48)
"""How far before the onset good examples are looked for."""

_SPARE = 5
"""How many times more traces are read than shown, so that repeated answers can be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The worst traces since the onset, good ones from before it, and the deploys around it.

    No answer is shown twice. Both lists are of the alert's own series and segment; where the
    segment had no traffic before the onset, `good` is of all traffic.
    """

    worst: Sequence[ScoredTrace] = ()
    good: Sequence[ScoredTrace] = ()
    marks: Sequence[Mark] = ()


def evidence_of(parts: Parts, alert: Alert, limit: int) -> Evidence:
    """At most `limit` traces of each kind.

    None for a series that the plan does not have, nor for an alert about a judge.
    """
    marks = marks_near(parts, alert)
    direction = parts.directions.get(alert.series)
    if direction is None or not limit or is_about_judge(alert):
        return Evidence(marks=marks)
    onset = floor_hour(alert.onset)
    end = alert.resolved_at if alert.state.over else alert.updated_at
    during = Window(onset, max(end or alert.updated_at, onset + HOUR))
    before = Window(onset - BEFORE, onset)
    better = _opposite(direction)
    return Evidence(
        worst=_distinct(parts, alert, alert.segment, during, direction, limit),
        good=_distinct(parts, alert, alert.segment, before, better, limit)
        or _distinct(parts, alert, ALL_TRAFFIC, before, better, limit),
        marks=marks,
    )


def _distinct(
    parts: Parts,
    alert: Alert,
    segment: Segment,
    window: Window,
    direction: Direction,
    limit: int,
) -> list[ScoredTrace]:
    found = parts.store.worst(
        parts.source.name, alert.series, segment, window, direction, limit * _SPARE
    )
    by_answer: dict[str, ScoredTrace] = {}
    for trace in found:
        by_answer.setdefault(trace.output_excerpt or trace.trace_id, trace)
    return list(by_answer.values())[:limit]


def _opposite(direction: Direction) -> Direction:
    if direction is Direction.HIGHER_IS_BETTER:
        return Direction.LOWER_IS_BETTER
    return Direction.HIGHER_IS_BETTER

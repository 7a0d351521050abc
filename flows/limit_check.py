"""The plan's limits over stored scores: every hour is counted once, however often it is checked."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from alerts.incidents import Key
from alerts.limit_counts import LimitCounts
from alerts.rules.limit import Limit
from alerts.summaries import pool
from flows.limit_family import LimitFamily, limit_rules
from flows.parts import Parts
from tailwatch.alert import Direction, Finding, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

Restarts = Mapping[Key, Collection[datetime]]
Hours = Mapping[datetime, ScoreSample]
Samples = Mapping[Series, Mapping[Segment, Hours]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Monitor:
    rule: Limit
    series: Series
    segment: Segment
    direction: Direction
    hours: Hours
    counts: LimitCounts

    @property
    def key(self) -> Key:
        return self.rule.name, self.series, self.segment


class LimitCheck:
    """The monitors of the plan's limits. `samples` has the hours of `window` that have any."""

    def __init__(
        self,
        parts: Parts,
        samples: Samples,
        window: Window,
        family: LimitFamily,
        restarts: Restarts,
    ) -> None:
        self._weeks = parts.plan.alerts.false_alarm_weeks
        self._window, self._family, self._restarts = window, family, restarts
        self._monitors = list(_monitors(parts, samples, window))

    def at(
        self, moment: datetime, monitors: int, about: Collection[Key] | None = None
    ) -> list[Finding]:
        """The breaches at a moment, and what it finds about the monitors in `about` (None: all).

        `monitors` is the number of all that share the budget.
        """
        end, findings = (moment - self._window.start) // HOUR, []
        for each in self._monitors:
            if not self._family.has(each.key, moment):
                continue
            rule = each.rule.sharing(monitors, self._weeks)
            first, forget = end - rule.history // HOUR, self._forgotten(each.key, moment)
            counts = each.counts.between(max(0, first), end, forget=forget)
            if about is None or each.key in about or rule.is_beyond(counts, each.direction):
                findings.append(
                    rule.finding(
                        counts,
                        each.series,
                        each.segment,
                        each.direction,
                        partial(_scores, each.hours, moment),
                    )
                )
        return findings

    def _forgotten(self, key: Key, moment: datetime) -> int:
        """How many hours do not count: those that began before a person ended the alert."""
        since = max((at for at in self._restarts.get(key, ()) if at <= moment), default=None)
        return 0 if since is None else -((self._window.start - since) // HOUR)


def _monitors(parts: Parts, samples: Samples, window: Window) -> Iterator[_Monitor]:
    for planned, rule in limit_rules(parts):
        for series, segments in samples.items():
            for segment, hours in segments.items() if planned.watches(series) else ():
                if segment.field in ("", *planned.segments):
                    direction = parts.directions[series]
                    grid = [
                        hours.get(hour.start) or empty_hour(series, segment, hour.start)
                        for hour in window.hours()
                    ]
                    yield _Monitor(
                        rule=rule,
                        series=series,
                        segment=segment,
                        direction=direction,
                        hours=hours,
                        counts=rule.counted(grid, direction),
                    )


def _scores(hours: Hours, until: datetime, since: datetime) -> ScoreSample:
    return pool([hours[hour] for hour in sorted(hours) if since <= hour < until])


def empty_hour(series: Series, segment: Segment, start: datetime) -> ScoreSample:
    """An hour in which the series has nothing."""
    return ScoreSample(
        series=series, segment=segment, window=Window(start, start + HOUR), values=()
    )

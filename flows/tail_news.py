"""The finding of a monitor whose incident lasts: its counts, its scores, who is most affected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from alerts.detector import Ongoing
from alerts.family import Family
from alerts.rules.tail_evidence import breach_finding
from alerts.summaries import pool
from alerts.tail_sentence import Budget, Excess, Regression, tail_of
from flows.parts import Parts
from flows.tail_monitors import Monitor
from flows.tail_watch import samples_of
from storage.records import TailCount
from tailwatch.alert import Finding, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_SHOWN = 5

Counts = Mapping[datetime, Sequence[tuple[str, TailCount]]]


def hour_number(hour: datetime) -> int:
    """The hours since 1970: what detectors know an hour by."""
    return (hour - _EPOCH) // HOUR


def hour_of(number: int) -> datetime:
    """The start of the hour with this number."""
    return _EPOCH + number * HOUR


class News:
    """Writes findings about incidents; reads scores and counts once for each series."""

    def __init__(self, parts: Parts, until: datetime) -> None:
        self._parts = parts
        self._until = until
        self._scores: dict[Series, tuple[datetime, dict[Segment, list[ScoreSample]]]] = {}
        self._usual: dict[tuple[Series, Segment], float | None] = {}
        self._counts: dict[str, _Cumulated] = {}

    def finding(
        self, monitor: Monitor, incident: Ongoing, evidence: float, budget: Budget, now: datetime
    ) -> Finding:
        """What is known at `now` about an incident that lasts."""
        onset = hour_of(incident.onset)
        lines = [row[incident.level] for row in monitor.lines.lines]
        news = Regression(
            series=monitor.series,
            segment=monitor.segment,
            direction=monitor.pinned.watched.direction,
            onset=onset,
            until=now,
            lines=[line for line in lines if line is not None],
            excess=Excess(
                bad=incident.bad,
                n=incident.n,
                usual=incident.usual,
                tolerated=incident.tolerated,
            ),
            evidence=evidence,
            budget=budget,
            before=self._baseline(monitor),
            now=self._since(monitor, onset, now),
            most=self._most_affected(monitor, incident, onset, now),
            unknown=not monitor.known,
        )
        return breach_finding(monitor.rule, news, Window(now - HOUR, now))

    def _since(self, monitor: Monitor, onset: datetime, now: datetime) -> ScoreSample | None:
        series = monitor.series
        begin, by_segment = self._scores.get(series, (None, {}))
        if begin is None or begin > onset:
            by_segment = self._samples(monitor, Window(onset, self._until))
            self._scores[series] = onset, by_segment
        hours = [
            hour for hour in by_segment.get(monitor.segment, ()) if onset <= hour.window.start < now
        ]
        return pool(hours) if hours else None

    def _baseline(self, monitor: Monitor) -> float | None:
        key = monitor.series, monitor.segment
        if key not in self._usual:
            watched = monitor.pinned.watched
            window = Window(monitor.pinned.record.start, monitor.pinned.end)
            for segment, hours in self._samples(monitor, window).items():
                tail = tail_of(pool(hours), watched.direction)
                self._usual[monitor.series, segment] = tail.value
        return self._usual.setdefault(key, None)

    def _samples(self, monitor: Monitor, window: Window) -> dict[Segment, list[ScoreSample]]:
        found: dict[Segment, list[ScoreSample]] = {}
        fields = monitor.pinned.watched.fields
        for sample in samples_of(self._parts, [monitor.series], window, fields):
            found.setdefault(sample.segment, []).append(sample)
        return found

    def _most_affected(
        self, monitor: Monitor, incident: Ongoing, onset: datetime, now: datetime
    ) -> tuple[Segment, float, float] | None:
        """The segment whose excess since the onset is the least likely one, by its z-score.

        None when that is the monitor's own.
        """
        counted = self._counted(monitor, onset)
        if counted is None:
            return None
        bad, n = counted.between(onset, now, incident.level)
        usual = counted.usual[:, incident.level]
        spread = np.sqrt(n * usual * (1 - usual))
        z = np.divide(bad - n * usual, spread, out=np.zeros_like(bad), where=n >= _LEAST_SHOWN)
        best = int(np.argmax(z))
        segment = counted.segments[best]
        if z[best] <= 0 or segment == monitor.segment:
            return None
        return segment, float(bad[best]), float(n[best])

    def _counted(self, monitor: Monitor, onset: datetime) -> "_Cumulated | None":
        key = monitor.pinned.record.baseline_id
        known = self._counts.get(key)
        if known is None or known.begin > onset:
            window = Window(onset, max(self._until, onset + HOUR))
            counts = self._parts.store.tail_counts(self._parts.source.name, [key], window)
            known = _cumulated(monitor.pinned.family, onset, window.end, counts)
            if known is None:
                return None
            self._counts[key] = known
        return known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cumulated:
    """The counts of every segment added up from `begin` (hours + 1 x segments x levels)."""

    begin: datetime
    segments: tuple[Segment, ...]
    usual: NDArray[np.float64]
    bad: NDArray[np.float64]
    n: NDArray[np.float64]

    def between(
        self, start: datetime, end: datetime, level: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first, last = (start - self.begin) // HOUR, (end - self.begin) // HOUR
        return (
            self.bad[last, :, level] - self.bad[first, :, level],
            self.n[last, :, level] - self.n[first, :, level],
        )


def _cumulated(family: Family, begin: datetime, end: datetime, counts: Counts) -> _Cumulated | None:
    segments = tuple(
        sorted({c.segment for cs in counts.values() for _, c in cs if c.segment.field})
    )
    if not segments:
        return None
    place = {segment: number for number, segment in enumerate(segments)}
    both = np.zeros((2, (end - begin) // HOUR + 1, len(segments), len(family.levels)))
    for hour, found in counts.items():
        for _, count in found:
            if count.segment.field:
                both[0, (hour - begin) // HOUR + 1, place[count.segment]] = count.bad
                both[1, (hour - begin) // HOUR + 1, place[count.segment]] = count.n
    added = both.cumsum(axis=1)
    return _Cumulated(
        begin=begin,
        segments=segments,
        usual=np.array([family.lines(segment).usual[0] for segment in segments]),
        bad=added[0],
        n=added[1],
    )

"""The baselines of a plan's series: learned once, pinned, and changed only by a person's word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.family import Family
from alerts.family_document import document_of, family_of
from alerts.learning import Progress, progress
from flows.parts import Parts
from flows.tail_watch import Watched, samples_of, watched_series
from storage.baselines import baseline_id
from storage.records import BaselineRecord
from tailwatch.alert import ScoreSample, Segment
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

SYSTEM = "tailwatch"
DAY = timedelta(days=1)

Scored = Mapping[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pinned:
    """A series with the baseline that is in force for it."""

    watched: Watched
    record: BaselineRecord
    family: Family

    @property
    def end(self) -> datetime:
        """The end of what it was learned from: counts begin here."""
        if self.record.end is None:
            raise ValueError(f"the baseline of {self.watched.series} is not pinned")
        return self.record.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """A series whose baseline is not complete: since when it learns, and what it has by hour."""

    watched: Watched
    record: BaselineRecord
    scored: Scored

    def progress(self, until: datetime) -> Progress:
        """How far it is at a time."""
        return progress(
            self.scored,
            self.record.start,
            until,
            days=self.watched.rule.days,
            min_scored=self.watched.rule.min_scored,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The baselines of the watched series; a series without any data is in neither.

    `learning` has those that are still being learned at the end of the moments that were settled,
    and those that were at their beginning.
    """

    pinned: Mapping[Series, Pinned]
    learning: Mapping[Series, Learning]


def read_baselines(parts: Parts) -> Baselines:
    """The baselines in force as the store has them."""
    watched, source = watched_series(parts), parts.source.name
    records = {r.series: r for r in parts.store.baselines(source) if r.series in watched}
    starts = [r.start for r in records.values() if r.status == "learning"]
    end = parts.store.last_window(source)
    scored = (
        parts.store.scored_by_hour(source, Window(min(starts), max(end.end, min(starts) + HOUR)))
        if starts and end
        else {}
    )
    return Baselines(
        pinned={
            series: Pinned(watched=watched[series], record=r, family=family_of(r.document))
            for series, r in records.items()
            if r.document is not None
        },
        learning={
            series: Learning(watched=watched[series], record=r, scored=scored.get(series, {}))
            for series, r in records.items()
            if r.document is None
        },
    )


def settle_baselines(parts: Parts, moments: Sequence[datetime]) -> Baselines:
    """Begins the baselines of new series, and pins those that are complete at one of the moments.

    A series that is new at the first moment that knows it learns from the hours since, at most its
    rule's `days` before that moment.
    """
    found = read_baselines(parts)
    if _begin(parts, found, moments):
        found = read_baselines(parts)
    complete: dict[tuple[Window, tuple[str, ...]], list[tuple[Watched, BaselineRecord]]] = {}
    for learning in found.learning.values():
        for moment in moments:
            reached = learning.progress(moment)
            if reached.window is not None:
                record = replace(learning.record, decided_at=moment, why=_why(reached))
                same = complete.setdefault((reached.window, learning.watched.fields), [])
                same.append((learning.watched, record))
                break
    pinned = dict(found.pinned)
    for (window, _), of_window in complete.items():
        for done in _learned(parts, of_window, window):
            pinned[done.watched.series] = done
    return Baselines(pinned=pinned, learning=found.learning)


def promote(
    parts: Parts, series: Series, until: datetime, days: int, *, who: str, why: str, now: datetime
) -> Pinned:
    """Learns a baseline again from the `days` before `until`; it is in force from now on.

    Raises ConfigurationError when no rule watches the series, or there are too few outputs.
    """
    watched = _of(parts, series)
    window = Window(until - days * DAY, until)
    record = BaselineRecord(
        baseline_id=baseline_id(
            parts.source.name, series, "promoted", window.start.isoformat(), now.isoformat()
        ),
        series=series,
        status="pinned",
        start=window.start,
        end=window.end,
        decided_at=now,
        who=who,
        why=why,
    )
    done = _learned(parts, [(watched, record)], window)
    if not done:
        raise ConfigurationError(
            f"{series} has fewer than {watched.rule.min_scored} scored outputs in {window}; "
            "give more --days or another --until"
        )
    return done[0]


def reset(
    parts: Parts, series: Series, since: datetime, *, who: str, why: str, now: datetime
) -> BaselineRecord:
    """Forgets the baseline in force and learns from `since` on.

    Raises ConfigurationError when no rule watches the series.
    """
    _of(parts, series)
    record = BaselineRecord(
        baseline_id=baseline_id(parts.source.name, series, "reset", now.isoformat()),
        series=series,
        status="learning",
        start=since,
        end=None,
        decided_at=now,
        who=who,
        why=why,
    )
    parts.store.record_baseline(parts.source.name, record)
    return record


def _begin(parts: Parts, found: Baselines, moments: Sequence[datetime]) -> bool:
    """Whether a series was new and its learning has begun."""
    store, source = parts.store, parts.source.name
    known = {*found.pinned, *found.learning}
    new = [watched for s, watched in watched_series(parts).items() if s not in known]
    begun = False
    if not new or not moments:
        return begun
    most = max(watched.rule.days for watched in new)
    scored = store.scored_by_hour(source, Window(moments[0] - most * DAY, moments[-1]))
    for watched in new:
        hours = sorted(scored.get(watched.series, {}))
        first = next((m for m in moments if any(h < m for h in hours)), None)
        if first is None:
            continue
        start = next(h for h in hours if h >= first - watched.rule.days * DAY)
        record = BaselineRecord(
            baseline_id=baseline_id(source, watched.series, "first"),
            series=watched.series,
            status="learning",
            start=start,
            end=None,
            decided_at=first,
            who=SYSTEM,
            why="the first scores of the series",
        )
        store.record_baseline(source, record)
        begun = True
    return begun


def _learned(
    parts: Parts, complete: Sequence[tuple[Watched, BaselineRecord]], window: Window
) -> list[Pinned]:
    """Learns and pins these baselines, whose series are cut by the same fields, from one window.

    A series with too few outputs is left out.
    """
    samples: dict[Series, dict[Segment, list[ScoreSample]]] = {}
    series = [watched.series for watched, _ in complete]
    for sample in samples_of(parts, series, window, complete[0][0].fields):
        samples.setdefault(sample.series, {}).setdefault(sample.segment, []).append(sample)
    learned = []
    for watched, record in complete:
        family = watched.rule.learn(samples.get(watched.series, {}), watched.direction)
        if family is None:
            continue
        document = document_of(family)
        pinned = replace(
            record, status="pinned", start=window.start, end=window.end, document=document
        )
        parts.store.record_baseline(parts.source.name, pinned)
        learned.append(Pinned(watched=watched, record=pinned, family=family))
    return learned


def _why(reached: Progress) -> str:
    return f"{reached.days} days with {reached.scored:,} scored outputs"


def _of(parts: Parts, series: Series) -> Watched:
    watched = watched_series(parts)
    if series not in watched:
        listed = ", ".join(sorted(str(each) for each in watched)) or "none"
        raise ConfigurationError(
            f"no tail_evidence rule of the plan watches {series}; watched: {listed}"
        )
    return watched[series]

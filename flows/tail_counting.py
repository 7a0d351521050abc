"""Keeps the stored counts behind the evidence equal to what the stored scores say."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby

from flows.baselines import Pinned
from flows.parts import Parts
from flows.tail_watch import fields_of, samples_of
from storage.records import TailCount, TailHour
from tailwatch.alert import ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

_ALL_VALUES = 10_000
"""Segment values that are looked at: more than there are, so that none is cut off by the window."""

Samples = Mapping[Segment, ScoreSample]


def count_tails(parts: Parts, pinned: Mapping[Series, Pinned], until: datetime) -> int:
    """Counts every hour up to `until` that is new or was restated; returns how many were.

    An hour's counts are a function of its stored scores and the baseline alone, so a late trace, a
    rerun or a backfill leaves them as counting everything again would.
    """
    store, source = parts.store, parts.source.name
    if not pinned:
        return 0
    window = Window(min(p.end for p in pinned.values()), max(until, _least(pinned)))
    stated = store.statements(source, window)
    counted = store.counted(source, window)
    due: dict[datetime, dict[Series, str]] = {}
    for series, each in pinned.items():
        known = counted.get(each.record.baseline_id, {})
        for hour, stamp in stated.get(series, {}).items():
            if each.end <= hour < until and known.get(hour) != stamp:
                due.setdefault(hour, {})[series] = stamp
    for hours in _batches(due):
        _count_hours(parts, pinned, hours)
    return len(due)


Due = dict[datetime, dict[Series, str]]


def _batches(due: Due) -> Iterator[Due]:
    """The hours of each day together: one query for them costs little more than one for an hour."""
    for _, hours in groupby(sorted(due.items()), key=lambda item: item[0].date()):
        yield dict(hours)


def _least(pinned: Mapping[Series, Pinned]) -> datetime:
    return min(p.end for p in pinned.values()) + HOUR


def _count_hours(parts: Parts, pinned: Mapping[Series, Pinned], due: Due) -> None:
    series = {each: pinned[each] for stamps in due.values() for each in stamps}
    fields = fields_of({each: found.watched for each, found in series.items()})
    samples: dict[tuple[datetime, Series], dict[Segment, ScoreSample]] = {}
    window = Window(min(due), max(due) + HOUR)
    for sample in samples_of(parts, list(series), window, fields, _ALL_VALUES):
        if sample.segment.field in ("", *series[sample.series].watched.fields):
            by_segment = samples.setdefault((sample.window.start, sample.series), {})
            by_segment[sample.segment] = sample
    for hour, stamps in due.items():
        parts.store.record_tail_hour(
            parts.source.name,
            hour,
            [
                _tail_hour(pinned[each], samples.get((hour, each), {}), stamp, parts)
                for each, stamp in stamps.items()
            ],
        )


def _tail_hour(pinned: Pinned, samples: Samples, stamp: str, parts: Parts) -> TailHour:
    found = pinned.family.count(samples, parts.plan.max_segment_values)
    return TailHour(
        baseline_id=pinned.record.baseline_id,
        stamp=stamp,
        counts=[
            TailCount(segment=segment, bad=bad.tolist(), n=n.tolist())
            for segment, (bad, n) in found.items()
        ],
        newcomers=[s for s in found if s not in pinned.family.monitors],
    )

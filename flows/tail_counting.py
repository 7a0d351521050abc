"""Keeps the stored counts behind the evidence equal to what the stored scores say."""

from collections.abc import Mapping
from datetime import datetime

from flows.baselines import Pinned
from flows.parts import Parts
from flows.tail_watch import fields_of, samples_of
from storage.records import TailCount, TailHour
from tailwatch.alert import ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

_ALL_VALUES = 1000
"""Segment values of an hour that are looked at: those of the baseline are never cut off."""

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
    for hour, stamps in sorted(due.items()):
        _count_hour(parts, {series: pinned[series] for series in stamps}, hour, stamps)
    return len(due)


def _least(pinned: Mapping[Series, Pinned]) -> datetime:
    return min(p.end for p in pinned.values()) + HOUR


def _count_hour(
    parts: Parts, pinned: Mapping[Series, Pinned], hour: datetime, stamps: Mapping[Series, str]
) -> None:
    fields = fields_of({series: each.watched for series, each in pinned.items()})
    by_series: dict[Series, dict[Segment, ScoreSample]] = {}
    window = Window(hour, hour + HOUR)
    for sample in samples_of(parts, list(pinned), window, fields, _ALL_VALUES):
        if not sample.segment.field or sample.segment.field in pinned[sample.series].watched.fields:
            by_series.setdefault(sample.series, {})[sample.segment] = sample
    parts.store.record_tail_hour(
        parts.source.name,
        hour,
        [
            _tail_hour(each, by_series.get(series, {}), stamps[series], parts)
            for series, each in pinned.items()
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

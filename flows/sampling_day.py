"""What sampling goes by on one day: learned from the week before it, and pinned in the store.

The first run that looks at a day pins it, so every later run of any of its hours, on any machine,
draws the same sample, whatever has become of the week before since then.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.allocation import best_share
from flows.parts import Parts, PlannedEvaluator
from storage.sampling_days import day_of
from tailwatch.alert import Segment
from tailwatch.buckets import UsualLength, flags
from tailwatch.evaluation import Series
from tailwatch.trace import TraceRef
from tailwatch.window import Window

WEEK = timedelta(days=7)

LEAST_LISTED = 500
"""Traces with a number of output tokens without which no length is odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingDay:
    """The usual length of outputs, and each learning series' share for flagged traces."""

    usual: UsualLength | None
    shares: Mapping[Series, float | None]

    def flagged(self, refs: Collection[TraceRef]) -> frozenset[str]:
        """The ids of the flagged traces."""
        return frozenset(ref.trace_id for ref in refs if flags(ref, self.usual))

    def sample(
        self, planned: PlannedEvaluator, refs: Collection[TraceRef], flagged: Collection[str]
    ) -> dict[str, float]:
        """The evaluator's sample of an hour, each trace with its inclusion probability."""
        share = self.shares.get(planned.series)
        return planned.design.select((ref.trace_id for ref in refs), flagged, share)


def sampling_day(parts: Parts, hour: Window, *, pin: bool = True) -> SamplingDay:
    """What sampling goes by in that hour; what the store does not have yet is learned and pinned.

    With `pin` False nothing is written: what would be learned now is used.
    """
    return SamplingDay(usual=_usual(parts, hour, pin), shares=_shares(parts, hour, pin))


def _usual(parts: Parts, hour: Window, pin: bool) -> UsualLength | None:
    store, source, day = parts.store, parts.source.name, day_of(hour.start)
    pinned = store.usual_lengths(source, hour)
    if day in pinned:
        return pinned[day]
    learned = store.observed_length(source, Window(day - WEEK, day), LEAST_LISTED)
    if not pin:
        return learned
    store.pin_usual_length(source, day, learned)
    return store.usual_lengths(source, hour)[day]


def _shares(parts: Parts, hour: Window, pin: bool) -> dict[Series, float | None]:
    store, source, day = parts.store, parts.source.name, day_of(hour.start)
    pinned = store.flagged_shares(source, day)
    open_series = [
        planned.series
        for planned in parts.evaluators
        if planned.design.learns and planned.series not in pinned
    ]
    if not open_series:
        return pinned
    learned = {series: _learned(parts, series, Window(day - WEEK, day)) for series in open_series}
    if not pin:
        return pinned | learned
    store.pin_flagged_shares(source, day, learned)
    return store.flagged_shares(source, day)


def _learned(parts: Parts, series: Series, week: Window) -> float | None:
    samples = parts.store.score_samples(parts.source.name, [series], week)
    hours = [sample for sample in samples if sample.segment == Segment()]
    return best_share(hours, parts.directions[series])

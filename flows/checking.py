"""The alert check: every rule on every series and segment it watches, hour by hour, in order.

A check looks at stored scores alone, so it may run at any time after the hours it looks at, and
running it again for the same hour changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.lifecycle import Policy, advance
from flows.notifying import notices
from flows.parts import Parts, PlannedRule, measure_series
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertEvent, Finding, ScoreSample, Segment
from tailwatch.errors import AlertChangedError
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window, floor_hour

MAX_CHECKS = 24 * 31
"""How many hours one run checks at most; after a longer silence only the newest count."""

DEFAULT_POLICY = Policy()

Key = tuple[str, Series, Segment]
Hours = Mapping[datetime, ScoreSample]
Samples = Mapping[Series, Mapping[Segment, Hours]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a run of checks did: the hours it checked and the alerts it changed."""

    checked: Sequence[datetime]
    findings: Sequence[Finding]
    """What was found at the last of the hours."""
    events: Sequence[AlertEvent]


def owed_checks(store: Store, source: str, until: datetime) -> list[datetime]:
    """The hours' ends that no check has looked at, oldest first, up to `until`."""
    last = store.last_check(source)
    if last is None:
        first = store.first_window(source)
        if first is None:
            return []
        last = first.start
    last = max(last, floor_hour(until) - MAX_CHECKS * HOUR)
    count = (floor_hour(until) - last) // HOUR
    return [last + (i + 1) * HOUR for i in range(count)]


def check_alerts(
    parts: Parts,
    moments: Sequence[datetime],
    *,
    policy: Policy = DEFAULT_POLICY,
    on_check: Callable[[datetime], None] | None = None,
) -> CheckReport:
    """Applies the plan's rules at each moment in turn, and records what changed."""
    findings: list[Finding] = []
    events: list[AlertEvent] = []
    if not moments or not parts.rules:
        return CheckReport(checked=moments, findings=(), events=())
    store, source = parts.store, parts.source.name
    samples = _samples(parts, moments)
    alerts: dict[Key, Alert] = {}
    for alert in store.alerts(limit=None, source=source):  # newest first
        alerts.setdefault(_key(alert), alert)
    for moment in moments:
        findings = list(_findings(parts, samples, moment))
        for finding in findings:
            events += _advance(parts, alerts, finding, moment, policy, moments[-1])
        store.record_check(source, moment)
        if on_check is not None:
            on_check(moment)
    return CheckReport(checked=moments, findings=findings, events=events)


def _advance(
    parts: Parts,
    alerts: dict[Key, Alert],
    finding: Finding,
    moment: datetime,
    policy: Policy,
    known_at: datetime,
) -> Sequence[AlertEvent]:
    """Records what a finding changes, with the messages about it, and returns the changes.

    When a person changed the alert since it was read, it is read again: their word is kept.
    """
    store, source, key = parts.store, parts.source.name, _key(finding)
    while True:
        known = alerts.get(key)
        step = advance(known, finding, moment, policy)
        if step.alert is None or step.alert == known:
            return step.events
        same = known is not None and known.alert_id == step.alert.alert_id
        told = notices(parts, step.alert, step.events, known_at)
        try:
            store.record_alert(
                source, step.alert, step.events, told, before=known if same else None
            )
        except AlertChangedError:
            fresh = store.alert(step.alert.alert_id, source)
            if fresh is None:
                raise
            alerts[key] = fresh
        else:
            alerts[key] = step.alert
            return step.events


def _key(about: Alert | Finding) -> Key:
    return about.rule, about.series, about.segment


def _findings(parts: Parts, samples: Samples, moment: datetime) -> Iterator[Finding]:
    directions = parts.directions
    for planned in parts.rules:
        hours = planned.rule.history // HOUR
        starts = [moment - (hours - i) * HOUR for i in range(hours)]
        for series, segments in samples.items():
            if not planned.watches(series):
                continue
            for segment, by_hour in segments.items():
                if segment.field and segment.field not in planned.segments:
                    continue
                current = [by_hour.get(s) or _empty(series, segment, s) for s in starts]
                yield planned.rule.check(current, (), directions[series], moment)


def _empty(series: Series, segment: Segment, start: datetime) -> ScoreSample:
    return ScoreSample(
        series=series, segment=segment, window=Window(start, start + HOUR), values=()
    )


def _samples(parts: Parts, moments: Sequence[datetime]) -> Samples:
    """The stored samples that any rule needs at any of the moments, by series, segment and hour."""
    back = max((r.rule.history for r in parts.rules), default=timedelta(0))
    window = Window(moments[0] - back, moments[-1])
    watched = [s for s in parts.directions if any(r.watches(s) for r in parts.rules)]
    return {series: _by_segment(parts, series, window) for series in watched}


def _by_segment(parts: Parts, series: Series, window: Window) -> dict[Segment, Hours]:
    plan, store, source = parts.plan, parts.store, parts.source.name
    cut = (_segments_of(parts.rules, series), plan.max_segment_values)
    if series in {measure_series(m) for m in plan.measures}:
        samples = store.measure_samples(source, [series.evaluator], window, *cut)
    else:
        samples = store.score_samples(source, [series], window, *cut)
    grouped: dict[Segment, dict[datetime, ScoreSample]] = defaultdict(dict)
    grouped[ALL_TRAFFIC] = {}
    for sample in samples:
        grouped[sample.segment][sample.window.start] = sample
    return dict(grouped)


def _segments_of(rules: Sequence[PlannedRule], series: Series) -> list[str]:
    return sorted({field for r in rules if r.watches(series) for field in r.segments})

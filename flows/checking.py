"""The alert check: every rule on every series and segment it watches, hour by hour, in order.

A check looks at stored scores alone, so it may run at any time after the hours it looks at, and
running it again for the same hour changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from alerts import wording
from alerts.canary import is_about_judge
from alerts.incidents import Key, Step, check_incidents, key_of, monitors_of
from alerts.lifecycle import SYSTEM, Policy
from alerts.rules.limit import Limit
from alerts.rules.tail_evidence import TailEvidence
from flows.families import families_of
from flows.limit_check import Hours, LimitCheck, Samples, empty_hour
from flows.limit_family import limit_family
from flows.notifying import notices
from flows.parts import Parts, PlannedRule
from flows.proposals import proposals
from flows.tail_check import Restarts, TailCheck
from flows.tail_watch import samples_of
from storage.store import Store
from tailwatch.alert import (
    ALL_TRAFFIC,
    Alert,
    AlertEvent,
    Finding,
    FindingStatus,
    ScoreSample,
    Segment,
)
from tailwatch.errors import AlertChangedError
from tailwatch.evaluation import Series
from tailwatch.protocols import AlertRule
from tailwatch.window import HOUR, Window, floor_hour

MAX_CHECKS = 24 * 31
"""How many hours one run checks at most; after a longer silence only the newest count."""

DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a run of checks did: the hours it checked and the alerts it changed."""

    checked: Sequence[datetime]
    findings: Sequence[Finding]
    """What was found at the last of the hours."""
    events: Sequence[AlertEvent]
    monitors: int = 0
    """How many monitors share the false-alarm budget: of tail evidence and of limits."""
    proposals: Sequence[str] = ()
    """Whose baselines are worth promoting, and why; looked at by the first check of a day (UTC)."""


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
    if not moments or not parts.rules:
        return CheckReport(checked=moments, findings=(), events=())
    store, source = parts.store, parts.source.name
    findings: list[Finding] = []
    events: list[AlertEvent] = []
    window, samples = _samples(parts, moments)
    alerts = _of_product(store, source)
    restarts = _restarts(store, source, alerts)
    of_limits = limit_family(parts, moments[-1])
    limits = LimitCheck(parts, samples, window, of_limits, restarts)
    tail = TailCheck(parts, moments, restarts, of_limits)
    families = families_of(parts)
    for moment in moments:
        about = None if moment == moments[-1] else _in_alerts(alerts)
        of_tails = tail.at(moment, about)
        findings = [*_findings(parts, samples, moment), *of_tails]
        findings += limits.at(moment, tail.family_at(moment), about)
        findings += _left(parts, alerts, moment)
        take_in = partial(check_incidents, findings=findings, now=moment, policy=policy)
        alerts, changed = _record(
            parts, alerts, partial(take_in, families=families), known_at=moments[-1]
        )
        events += changed
        store.record_check(source, moment)
        if on_check is not None:
            on_check(moment)
    tail.keep()
    return CheckReport(
        checked=moments,
        findings=findings,
        events=events,
        monitors=tail.family_size,
        proposals=_proposals(parts, tail, moments, alerts),
    )


def _proposals(
    parts: Parts, tail: TailCheck, moments: Sequence[datetime], alerts: Sequence[Alert]
) -> list[str]:
    # Once a day: it reads all counts since the baseline, and is about days.
    if not any(moment.hour == 0 for moment in moments):
        return []
    return proposals(parts, tail.pinned, alerts, moments[-1], tail.family_size)


def _record(
    parts: Parts,
    alerts: list[Alert],
    take_in: Callable[[Sequence[Alert]], list[Step]],
    known_at: datetime,
) -> tuple[list[Alert], list[AlertEvent]]:
    """Records what a check does to the alerts, each with its messages; the alerts as they are now.

    When a person changed an alert since it was read, the alerts are read again: their word is kept,
    and what is recorded already is found as it is.
    """
    store, source = parts.store, parts.source.name
    events: list[AlertEvent] = []
    while True:
        try:
            for step in take_in(alerts):
                told = notices(parts, step.after, step.events, known_at)
                store.record_alert(source, step.after, step.events, told, before=step.before)
                alerts = [step.after, *(a for a in alerts if a.alert_id != step.after.alert_id)]
                events += step.events
        except AlertChangedError:
            alerts = _of_product(store, source)
        else:
            return sorted(alerts, key=lambda alert: alert.opened_at, reverse=True), events


def _of_product(store: Store, source: str) -> list[Alert]:
    """All alerts but those about a judge, newest first: no rule's finding is news of a judge."""
    return [a for a in store.alerts(limit=None, source=source) if not is_about_judge(a)]


def _in_alerts(alerts: Sequence[Alert]) -> set[Key]:
    """The monitors whose quiet hours matter: of alerts that last, or that a person has ended."""
    living = (a for a in alerts if not a.state.over or a.quiet_checks == 0)
    return {key_of(monitor) for alert in living for monitor in monitors_of(alert)}


def _restarts(store: Store, source: str, alerts: Sequence[Alert]) -> Restarts:
    """When people ended the alerts of each monitor: its evidence begins again."""
    by_id = {alert.alert_id: alert for alert in alerts}
    restarts: dict[Key, list[datetime]] = {}
    for alert_id, at in store.endings_by_people(source, SYSTEM):
        for monitor in monitors_of(by_id[alert_id]) if alert_id in by_id else ():
            restarts.setdefault(key_of(monitor), []).append(at)
    return restarts


def _left(parts: Parts, alerts: Sequence[Alert], moment: datetime) -> list[Finding]:
    """That it is over, for every monitor of an open alert that the plan does not have any more."""
    rules = {planned.rule.name: planned for planned in parts.rules}
    found = []
    for alert in alerts:
        for monitor in monitors_of(alert) if not alert.state.over else ():
            planned = rules.get(monitor.rule)
            if (
                planned is None
                or monitor.series not in parts.directions
                or not planned.watches(monitor.series)
                or monitor.segment.field not in ("", *planned.segments)
            ):
                what = wording.subject(monitor.series, monitor.segment)
                found.append(
                    Finding(
                        rule=monitor.rule,
                        series=monitor.series,
                        segment=monitor.segment,
                        window=Window(moment - HOUR, moment),
                        status=FindingStatus.OK,
                        sentence=f"the plan does not watch {what} any more",
                        conclusive=True,
                    )
                )
    return found


def _findings(parts: Parts, samples: Samples, moment: datetime) -> Iterator[Finding]:
    for rule, current in _looked_at(parts, samples, moment):
        yield rule.check(current, (), parts.directions[current[0].series], moment)


def _looked_at(
    parts: Parts, samples: Samples, moment: datetime
) -> Iterator[tuple[AlertRule, list[ScoreSample]]]:
    """Every rule with the hours of every series and segment that it watches."""
    for planned in _by_the_hour(parts):
        if isinstance(planned.rule, Limit):
            continue
        hours = planned.rule.history // HOUR
        starts = [moment - (hours - i) * HOUR for i in range(hours)]
        for series, segments in samples.items():
            if not planned.watches(series):
                continue
            for segment, by_hour in segments.items():
                if segment.field and segment.field not in planned.segments:
                    continue
                current = [by_hour.get(s) or empty_hour(series, segment, s) for s in starts]
                yield planned.rule, current


def _by_the_hour(parts: Parts) -> list[PlannedRule]:
    """The rules that look at hours of scores; tail evidence has its own stored counts."""
    return [planned for planned in parts.rules if not isinstance(planned.rule, TailEvidence)]


def _samples(parts: Parts, moments: Sequence[datetime]) -> tuple[Window, Samples]:
    """The stored samples that any rule needs at any of the moments, by series, segment and hour.

    And the time that they are of.
    """
    rules = _by_the_hour(parts)
    back = max((r.rule.history for r in rules), default=timedelta(0))
    window = Window(min(moments[0] - back, moments[0] - HOUR), moments[-1])
    watched = [s for s in parts.directions if any(r.watches(s) for r in rules)]
    return window, {series: _by_segment(parts, rules, series, window) for series in watched}


def _by_segment(
    parts: Parts, rules: Sequence[PlannedRule], series: Series, window: Window
) -> dict[Segment, Hours]:
    fields = sorted({field for r in rules if r.watches(series) for field in r.segments})
    grouped: dict[Segment, dict[datetime, ScoreSample]] = defaultdict(dict)
    grouped[ALL_TRAFFIC] = {}
    for sample in samples_of(parts, [series], window, fields):
        grouped[sample.segment][sample.window.start] = sample
    return dict(grouped)

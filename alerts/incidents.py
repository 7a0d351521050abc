"""Which monitors are one incident: those that share a segment or an onset, not ten alerts.

Pure functions over alerts, what a check found, and the time. `alerts.lifecycle` says what becomes
of the incident as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts import wording
from alerts.lifecycle import SYSTEM, Advance, Policy, advance
from tailwatch.alert import (
    ALL_TRAFFIC,
    Alert,
    AlertEvent,
    AlertMonitor,
    Finding,
    FindingStatus,
    Segment,
)
from tailwatch.evaluation import Series

SAME_TIME = timedelta(hours=6)
"""Two monitors of one family whose onsets are nearer than this have one cause."""

SAME_DAY = timedelta(hours=24)
"""The same for monitors that look at the same outputs; weak ones date their onset late."""

ATTACHED = "another monitor"
"""How the reason of an event begins that adds a monitor and changes no state."""

Key = tuple[str, Series, Segment]
Families = Callable[[str, Series], str]
"""The family of measures, such as "retrieval", of a rule on a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An alert as a check leaves it, what it was before (None: new), and what changed."""

    before: Alert | None
    after: Alert
    events: tuple[AlertEvent, ...]


def key_of(about: Finding | AlertMonitor | Alert) -> Key:
    """What a finding, a monitor or the opening of an alert is about."""
    return about.rule, about.series, about.segment


def monitors_of(alert: Alert) -> tuple[AlertMonitor, ...]:
    """The monitors of an incident; of an alert without a list, the one that opened it."""
    if alert.monitors:
        return alert.monitors
    return (
        AlertMonitor(
            rule=alert.rule,
            series=alert.series,
            segment=alert.segment,
            onset=alert.onset,
            attached_at=alert.opened_at,
            sentence=alert.sentence,
            breaching=not alert.state.over,
            quiet_checks=alert.quiet_checks,
        ),
    )


def check_incidents(
    alerts: Sequence[Alert],
    findings: Sequence[Finding],
    now: datetime,
    policy: Policy,
    families: Families,
) -> list[Step]:
    """What the findings of one check do to the alerts: news, endings, attachments, new alerts.

    `alerts` are newest first; those that are over are needed as long as one of their monitors may
    breach again. Findings about nothing that breaches or belongs to an alert change nothing.
    """
    by_key = {key_of(finding): finding for finding in findings}
    steps: dict[str, Step] = {}
    for alert in alerts:
        if not alert.state.over:
            _keep(steps, alert, _with_news(alert, by_key, now, policy))
        elif alert.quiet_checks == 0 and _all_quiet(alert, by_key):
            _keep(steps, alert, advance(alert, _as_of(alert, _first(alert, by_key)), now, policy))
    living = [steps[a.alert_id].after if a.alert_id in steps else a for a in alerts]
    taken = {key_of(m) for a in alerts if not a.state.over for m in monitors_of(a)}
    breaches = [f for f in findings if f.status is FindingStatus.BREACH and key_of(f) not in taken]
    for finding in sorted(breaches, key=_concentration, reverse=True):
        step = _place(living, finding, now, policy, families)
        if step is None:
            continue
        earlier = steps.get(step.after.alert_id)
        steps[step.after.alert_id] = (
            step
            if earlier is None
            else Step(before=earlier.before, after=step.after, events=earlier.events + step.events)
        )
        living = [a for a in living if a.alert_id != step.after.alert_id]
        living.insert(0, step.after)
    return list(steps.values())


def related(finding: Finding, alert: Alert, family: str, families: Families) -> bool:
    """Whether a breach belongs to an open incident.

    It does when it is in the segment that the incident was opened for and began within a day of it,
    whatever it measures. One of the same family of measures does when it began within six hours of
    it, or within a day on one of its series and not in other values of a field; and all traffic
    does on any of its series.
    """
    gap = abs(_onset(finding) - alert.onset)
    if finding.segment == alert.segment != ALL_TRAFFIC and gap <= SAME_DAY:
        return True
    kin = [m for m in monitors_of(alert) if families(m.rule, m.series) == family]
    if kin and gap <= SAME_TIME:
        return True
    same_series = [m for m in kin if m.series == finding.series]
    if finding.segment == ALL_TRAFFIC and same_series:
        return True
    return gap <= SAME_DAY and any(_overlap(m.segment, finding.segment) for m in same_series)


def _place(
    alerts: Sequence[Alert],
    finding: Finding,
    now: datetime,
    policy: Policy,
    families: Families,
) -> Step | None:
    """Where a breach goes that no open incident has: an earlier incident again, one that is open,
    or a new one. None when a person has ended it and nothing new began since.
    """
    earlier = next(
        (a for a in alerts if a.state.over and key_of(finding) in map(key_of, monitors_of(a))),
        None,
    )
    if earlier is not None:
        again = advance(earlier, _as_of(earlier, finding), now, policy)
        if again.alert is not None and again.alert.alert_id == earlier.alert_id:
            if not again.events:
                return None
            return Step(
                before=earlier,
                after=replace(again.alert, monitors=_refreshed(earlier, finding)),
                events=again.events,
            )
    family = families(finding.rule, finding.series)
    theirs = [a for a in alerts if not a.state.over and related(finding, a, family, families)]
    if theirs:
        nearest = min(theirs, key=lambda alert: abs(_onset(finding) - alert.onset))
        return _attached(nearest, finding, now)
    opened = advance(None, finding, now, policy)
    if opened.alert is None:
        return None
    after = replace(opened.alert, monitors=(_monitor(finding, now),))
    return Step(before=None, after=after, events=opened.events)


def _with_news(
    alert: Alert, by_key: Mapping[Key, Finding], now: datetime, policy: Policy
) -> Advance:
    if now <= alert.updated_at:
        return Advance(alert=alert)
    found = [(m, by_key.get(key_of(m))) for m in monitors_of(alert)]
    members = tuple(m if f is None else _member(m, f, policy) for m, f in found)
    breaches = [f for _, f in found if f is not None and f.status is FindingStatus.BREACH]
    quiet = [f for _, f in found if f is not None and f.status is FindingStatus.OK]
    lasting = [m for m in members if m.breaching]
    if breaches:
        lead = next((f for f in breaches if key_of(f) == key_of(alert)), None)
        news = lead or max(breaches, key=_concentration)
    elif not quiet:
        return Advance(alert=replace(alert, monitors=members))
    elif not lasting:
        alert = replace(alert, quiet_checks=max(0, members[0].quiet_checks - 1))
        news = replace(quiet[0], conclusive=all(f.conclusive for f in quiet))
        if not news.conclusive:
            alert = replace(alert, quiet_checks=policy.resolve_after - 1)
    else:
        calm = min(m.quiet_checks for m in lasting)
        if not calm:
            return Advance(alert=replace(alert, monitors=members, updated_at=now))
        alert = replace(alert, quiet_checks=calm - 1)
        news = replace(quiet[0], conclusive=False)
    step = advance(alert, _as_of(alert, news), now, policy)
    after = None if step.alert is None else replace(step.alert, monitors=members)
    return Advance(alert=after, events=step.events)


def _member(monitor: AlertMonitor, finding: Finding, policy: Policy) -> AlertMonitor:
    if finding.status is FindingStatus.BREACH:
        return replace(monitor, breaching=True, quiet_checks=0, sentence=finding.sentence)
    if finding.status is not FindingStatus.OK:
        return monitor
    quiet = monitor.quiet_checks + 1
    over = finding.conclusive or quiet >= policy.resolve_after
    return replace(monitor, quiet_checks=quiet, breaching=monitor.breaching and not over)


def _attached(alert: Alert, finding: Finding, now: datetime) -> Step:
    """The alert with one monitor more; an event only where that is news, and not at its opening."""
    after = replace(alert, monitors=(*monitors_of(alert), _monitor(finding, now)))
    if alert.opened_at == now or not _is_news(alert, finding):
        return Step(before=alert, after=after, events=())
    event = AlertEvent(
        alert_id=alert.alert_id,
        at=now,
        before=alert.state,
        after=alert.state,
        who=SYSTEM,
        why=f"{ATTACHED}: {finding.sentence}",
    )
    return Step(before=alert, after=after, events=(event,))


def _is_news(alert: Alert, finding: Finding) -> bool:
    """Whether it is another series, or outputs that the incident was not opened for.

    That a segment's regression shows in all that shares outputs with it is not.
    """
    known = any(m.series == finding.series for m in monitors_of(alert))
    return not known or not _overlap(alert.segment, finding.segment)


def _refreshed(alert: Alert, finding: Finding) -> tuple[AlertMonitor, ...]:
    return tuple(
        replace(m, breaching=True, quiet_checks=0, sentence=finding.sentence)
        if key_of(m) == key_of(finding)
        else m
        for m in monitors_of(alert)
    )


def _keep(steps: dict[str, Step], before: Alert, step: Advance) -> None:
    if step.alert is not None and (step.alert != before or step.events):
        steps[before.alert_id] = Step(before=before, after=step.alert, events=step.events)


def _monitor(finding: Finding, now: datetime) -> AlertMonitor:
    return AlertMonitor(
        rule=finding.rule,
        series=finding.series,
        segment=finding.segment,
        onset=_onset(finding),
        attached_at=now,
        sentence=finding.sentence,
    )


def _all_quiet(alert: Alert, by_key: Mapping[Key, Finding]) -> bool:
    found = [by_key[key_of(m)] for m in monitors_of(alert) if key_of(m) in by_key]
    statuses = {f.status for f in found}
    return FindingStatus.OK in statuses and FindingStatus.BREACH not in statuses


def _first(alert: Alert, by_key: Mapping[Key, Finding]) -> Finding:
    keys = (key_of(m) for m in monitors_of(alert))
    return next(by_key[k] for k in keys if k in by_key and by_key[k].status is FindingStatus.OK)


def _as_of(alert: Alert, finding: Finding) -> Finding:
    """The finding under the name of the monitor that opened the alert."""
    return replace(finding, rule=alert.rule, series=alert.series, segment=alert.segment)


def _overlap(one: Segment, other: Segment) -> bool:
    """Whether outputs can be in both: not in two values of one field."""
    return one == other or one.field != other.field


def _concentration(finding: Finding) -> tuple[float, bool, str]:
    """By how much the bad share is larger than it should be: most where the cause is.

    A sixth of the traffic that went wrong shows in all of it too, and with more evidence.
    """
    numbers = finding.numbers
    bad, n = numbers.get("bad"), numbers.get("scored")
    share = 0.0
    if bad is not None and n:
        usual, tolerated = numbers.get("usual"), numbers.get("tolerated_share")
        share = bad / n - (usual / n if usual is not None else tolerated or 0.0)
    what = wording.subject(finding.series, finding.segment)
    return share, finding.segment != ALL_TRAFFIC, what


def _onset(finding: Finding) -> datetime:
    return finding.onset or finding.window.start

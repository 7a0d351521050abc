"""The life of an alert as a state machine: one incident, however many hours it lasts.

Pure functions from an alert and what happened to the alert afterwards and the changes of state.
`updated_at` is the last check that an alert took part in; an older check, or the same one run
again, changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts import wording
from tailwatch.alert import Alert, AlertEvent, AlertState, Finding, FindingStatus
from tailwatch.errors import ConfigurationError

SYSTEM = "tailwatch"
"""Who changed an alert when no person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When an alert ends: after `resolve_after` quiet checks in a row. A breach within
    `reopen_within` of that is the same incident again, not a new one.
    """

    resolve_after: int = 6
    reopen_within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The alert as it is now, None when there is none, and what changed on the way, in order."""

    alert: Alert | None
    events: tuple[AlertEvent, ...] = ()


def advance(alert: Alert | None, finding: Finding, now: datetime, policy: Policy) -> Advance:
    """What a check does to the newest alert of its rule, series and segment (None: never one).

    A breach opens an alert, or reopens the resolved one, or refreshes the one that is there; quiet
    checks in a row resolve it; NO_DATA and LEARNING neither open nor count as quiet. Acknowledged
    and muted alerts keep their state on a breach, a muted one until `muted_until`. An alert that a
    person resolved is not reopened by the bad hours of before, which the rule may still look at.
    After a false alarm only a breach that began later counts, as a new alert.
    Raises ValueError when the finding is of another rule, series or segment.
    """
    if alert is None:
        return (
            _open(finding, now) if finding.status is FindingStatus.BREACH else Advance(alert=None)
        )
    _refuse_mixed(alert, finding)
    if now <= alert.updated_at:
        return Advance(alert=alert)
    if alert.state is AlertState.FALSE_ALARM:
        return _after_false_alarm(alert, finding, now)
    if alert.state is AlertState.RESOLVED:
        return _after_resolution(alert, finding, now, policy)
    return _settle(_take_in(alert, finding, now), finding, now, policy)


def acknowledge(alert: Alert, *, who: str, why: str, now: datetime) -> Advance:
    """A person has seen it. Raises ConfigurationError when the alert is over."""
    _refuse_over(alert, "acknowledged")
    if alert.state is AlertState.ACKNOWLEDGED:
        return Advance(alert=alert)
    after = replace(alert, state=AlertState.ACKNOWLEDGED, muted_until=None)
    return _change(alert, after, now, who, why)


def mute(alert: Alert, *, until: datetime, who: str, why: str, now: datetime) -> Advance:
    """Nothing more is said about it before `until`, not even that it is over.

    Raises ConfigurationError when the alert is over or `until` is not in the future.
    """
    _refuse_over(alert, "muted")
    if until <= now:
        raise ConfigurationError(
            f"cannot mute until {wording.moment(until)}, which is not after "
            f"{wording.moment(now)}; give a later time"
        )
    return _change(alert, replace(alert, state=AlertState.MUTED, muted_until=until), now, who, why)


def resolve(alert: Alert, *, who: str, why: str, now: datetime) -> Advance:
    """A person says that it is over; nothing happens when it already was."""
    if alert.state.over:
        return Advance(alert=alert)
    return _change(alert, _resolved(alert, now, quiet_checks=0), now, who, why)


def dismiss(alert: Alert, *, who: str, why: str, now: datetime) -> Advance:
    """A person says that nothing was wrong: a false alarm, for good. Also of a resolved alert,
    whose end stays where it was.
    """
    if alert.state is AlertState.FALSE_ALARM:
        return Advance(alert=alert)
    ended = alert if alert.state.over else _resolved(alert, now, quiet_checks=alert.quiet_checks)
    return _change(alert, replace(ended, state=AlertState.FALSE_ALARM), now, who, why)


def _open(finding: Finding, now: datetime) -> Advance:
    alert = Alert(
        rule=finding.rule,
        series=finding.series,
        segment=finding.segment,
        state=AlertState.OPEN,
        opened_at=now,
        onset=_onset(finding),
        updated_at=now,
        sentence=finding.sentence,
        numbers=finding.numbers,
    )
    event = AlertEvent(
        alert_id=alert.alert_id,
        at=now,
        before=None,
        after=AlertState.OPEN,
        who=SYSTEM,
        why=finding.sentence,
    )
    return Advance(alert=alert, events=(event,))


def _take_in(alert: Alert, finding: Finding, now: datetime) -> Alert:
    """The alert with the check's news, in the state it had."""
    if finding.status is FindingStatus.BREACH:
        return replace(
            alert,
            updated_at=now,
            sentence=finding.sentence,
            numbers=finding.numbers,
            quiet_checks=0,
        )
    quiet = 1 if finding.status is FindingStatus.OK else 0
    return replace(alert, updated_at=now, quiet_checks=alert.quiet_checks + quiet)


def _settle(alert: Alert, finding: Finding, now: datetime, policy: Policy) -> Advance:
    """The end of a mute, the end of the alert, or neither."""
    muted = alert.state is AlertState.MUTED
    if muted and (alert.muted_until is None or now < alert.muted_until):
        return Advance(alert=alert)
    quiet = finding.conclusive or alert.quiet_checks >= policy.resolve_after
    if finding.status is FindingStatus.OK and quiet:
        found_nothing = f"{alert.quiet_checks} checks in a row found nothing: {finding.sentence}"
        why = finding.sentence if finding.conclusive else found_nothing
        after = _resolved(alert, now, quiet_checks=alert.quiet_checks)
        return _change(alert, after, now, SYSTEM, why)
    if muted:
        after = replace(alert, state=AlertState.OPEN, muted_until=None)
        return _change(alert, after, now, SYSTEM, "the mute ended")
    return Advance(alert=alert)


def _after_resolution(alert: Alert, finding: Finding, now: datetime, policy: Policy) -> Advance:
    """Nothing, the same incident again, or a new one.

    `quiet_checks` is 0 from a person's resolution to the first quiet check after it: until then a
    breach counts only if it began later than the resolution.
    """
    resolved_at = alert.resolved_at or alert.updated_at
    awaited = alert.quiet_checks == 0
    if finding.status is FindingStatus.OK and awaited:
        return Advance(alert=replace(alert, updated_at=now, quiet_checks=1))
    if finding.status is not FindingStatus.BREACH:
        return Advance(alert=alert)
    if now - resolved_at > policy.reopen_within:
        return _open(finding, now)
    if awaited and _onset(finding) <= resolved_at:
        return Advance(alert=alert)
    after = replace(
        _take_in(alert, finding, now), state=AlertState.OPEN, resolved_at=None, muted_until=None
    )
    why = f"a breach {wording.length(now - resolved_at)} after it was resolved: {finding.sentence}"
    return _change(alert, after, now, SYSTEM, why)


def _after_false_alarm(alert: Alert, finding: Finding, now: datetime) -> Advance:
    ended_at = alert.resolved_at or alert.updated_at
    if finding.status is FindingStatus.BREACH and _onset(finding) > ended_at:
        return _open(finding, now)
    return Advance(alert=alert)


def _resolved(alert: Alert, now: datetime, *, quiet_checks: int) -> Alert:
    return replace(
        alert,
        state=AlertState.RESOLVED,
        resolved_at=now,
        muted_until=None,
        quiet_checks=quiet_checks,
    )


def _change(before: Alert, after: Alert, now: datetime, who: str, why: str) -> Advance:
    event = AlertEvent(
        alert_id=after.alert_id, at=now, before=before.state, after=after.state, who=who, why=why
    )
    return Advance(alert=after, events=(event,))


def _onset(finding: Finding) -> datetime:
    return finding.onset or finding.window.start


def _refuse_mixed(alert: Alert, finding: Finding) -> None:
    mine = (alert.rule, alert.series, alert.segment)
    other = (finding.rule, finding.series, finding.segment)
    if mine != other:
        raise ValueError(f"a finding of {other} is no news of the alert of {mine}")


def _refuse_over(alert: Alert, verb: str) -> None:
    if alert.state.over:
        ended = "resolved" if alert.state is AlertState.RESOLVED else "a false alarm"
        raise ConfigurationError(
            f"alert {alert.alert_id} is {ended} and cannot be {verb}; a breach that comes back "
            "opens it again or opens a new one"
        )

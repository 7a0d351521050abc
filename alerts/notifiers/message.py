"""What people are told of a change: what got worse, where, since when, and what to do next."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts import wording
from alerts.canary import is_about_judge
from alerts.lifecycle import SYSTEM
from tailwatch.alert import Alert, AlertEvent, AlertState, Change, Severity
from tailwatch.printable import printable
from tailwatch.protocols import AlertMessage

_NAME_CHARS = 80
_TEXT_CHARS = 2000
_FIGURES = 4
_JOINED = 5
"""So many monitors that joined are told by their sentences, the rest by their number."""

_BEGINNINGS = {
    Change.OPENED: "Alert",
    Change.ATTACHED: "Alert grows",
    Change.REOPENED: "Alert again",
    Change.ACKNOWLEDGED: "Acknowledged",
    Change.RESOLVED: "Resolved",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A change and the events that one message tells of: the first made it, the others join it."""

    change: Change
    events: tuple[AlertEvent, ...]


def change_of(event: AlertEvent) -> Change | None:
    """What people are told about an event; None when they are told nothing.

    An event that keeps an alert's state is a monitor that joined it. A muted alert says nothing
    until its mute ends, but its end by a person's word is told: other people still wait for it.
    """
    before, after = event.before, event.after
    if before is None:
        return Change.OPENED
    if before is after:
        return None if after is AlertState.MUTED or after.over else Change.ATTACHED
    if after.over:
        return None if before.over else Change.RESOLVED
    if after is AlertState.OPEN:
        return Change.REOPENED
    return Change.ACKNOWLEDGED if after is AlertState.ACKNOWLEDGED else None


def told(events: Sequence[AlertEvent]) -> list[Told]:
    """What to tell of the changes that one check or person made to an alert.

    Monitors that join at the same moment are one message, or part of that of the opening.
    """
    found: list[Told] = []
    for event in events:
        change = change_of(event)
        if change is None:
            continue
        if change is Change.ATTACHED and found and found[-1].change is not Change.RESOLVED:
            found[-1] = replace(found[-1], events=(*found[-1].events, event))
        else:
            found.append(Told(change=change, events=(event,)))
    return found


def alert_message(
    alert: Alert,
    news: Told,
    *,
    source: str,
    destination: str,
    severity: Severity,
    notes: Sequence[str] = (),
    command: str = "tailwatch",
) -> AlertMessage:
    """The message about a change for one destination; `notes` say how far to believe its judges.

    Its id follows from source, event and destination, so that a rerun makes the same message.
    """
    event, rule = news.events[0], printable(alert.rule, _NAME_CHARS)
    subject = f"{_subject(alert)} ({rule})"
    return AlertMessage(
        message_id=_message_id(source, event, destination),
        change=news.change,
        severity=severity,
        source=source,
        alert_id=alert.alert_id,
        at=event.at,
        title=f"{_beginning(event, news.change)}: {subject}, {_when(alert, news.change)}",
        body="\n".join(
            [
                *_story(alert, news),
                *(printable(note, _TEXT_CHARS) for note in notes),
                _next_step(alert, news.change, command),
            ]
        ),
        fields={
            "Alert": alert.alert_id,
            "State": wording.state(alert.state),
            **({"About": "the judge, not the product"} if is_about_judge(alert) else {}),
            "Rule": rule,
            "Series": printable(str(alert.series), _NAME_CHARS),
            "Segment": printable(str(alert.segment), _NAME_CHARS),
            "Began about": wording.moment(alert.onset),
            **_figures(alert),
        },
    )


def trial_message(source: str, destination: str, now: datetime) -> AlertMessage:
    """A message that says it is a test."""
    alert_id = f"test-{now:%Y%m%dT%H%M%SZ}"
    return AlertMessage(
        message_id=_hash(source, alert_id, destination),
        change=Change.TEST,
        severity=Severity.INFO,
        source=source,
        alert_id=alert_id,
        at=now,
        title=f"Test: messages of tailwatch about {printable(source, _NAME_CHARS)} arrive here",
        body="Nothing is wrong: somebody ran `tailwatch notify test`.",
        fields={"Destination": printable(destination, _NAME_CHARS)},
    )


def _subject(alert: Alert) -> str:
    if is_about_judge(alert):
        series = alert.series
        return f"judge {printable(series.judge, _NAME_CHARS)} on {wording.text(series.evaluator)}"
    return wording.subject(alert.series, alert.segment)


def _beginning(event: AlertEvent, change: Change) -> str:
    if event.after is AlertState.FALSE_ALARM:
        return "False alarm"
    return _BEGINNINGS[change]


def _when(alert: Alert, change: Change) -> str:
    since = f"since about {wording.moment(alert.onset)}"
    if change is Change.RESOLVED and alert.resolved_at is not None:
        return f"{since}, over {wording.moment(alert.resolved_at)}"
    return since


def _story(alert: Alert, news: Told) -> list[str]:
    """The sentences: what was found, and what a person said or the check saw."""
    first, *others = news.events
    sentence = printable(alert.sentence, _TEXT_CHARS)
    why = printable(first.why, _TEXT_CHARS)
    joined = [f"Also: {printable(event.why, _TEXT_CHARS)}" for event in others[:_JOINED]]
    if len(others) > _JOINED:
        joined.append(f"Also: {len(others) - _JOINED} more monitors")
    if first.who != SYSTEM:
        story = [f"{printable(first.who, _NAME_CHARS)}: {why}", f"It was: {sentence}"]
    elif news.change is Change.RESOLVED:
        story = [f"Over: {why}", f"It was: {sentence}"]
    elif news.change is Change.ATTACHED:
        return [f"Also: {why}", *joined, f"The incident: {sentence}"]
    else:
        story = [why] if sentence in why else [sentence, why]
    return [*story, *joined]


def _next_step(alert: Alert, change: Change, command: str) -> str:
    if change is Change.RESOLVED:
        return f"To look back: {command} alerts show {alert.alert_id}"
    return f"Next: {command} alerts show {alert.alert_id}"


def _figures(alert: Alert) -> dict[str, str]:
    known = [(name, value) for name, value in alert.numbers.items() if value is not None]
    return {
        printable(name, _NAME_CHARS).replace("_", " "): wording.number(value)
        for name, value in known[:_FIGURES]
    }


def _message_id(source: str, event: AlertEvent, destination: str) -> str:
    return _hash(
        source,
        event.alert_id,
        event.at.isoformat(),
        event.before,
        event.after,
        event.who,
        event.why,
        destination,
    )


def _hash(*parts: str | None) -> str:
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

"""What people are told of which change, and in which words."""

from dataclasses import replace

import pytest

from alerts.notifiers.message import Told, alert_message, change_of, told, trial_message
from tailwatch.alert import Alert, AlertEvent, AlertState, Change, Segment, Severity
from tailwatch.protocols import AlertMessage
from tests.alerts.samples import SERIES, start_of

OPEN, ACKNOWLEDGED, MUTED = AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.MUTED
RESOLVED, FALSE_ALARM = AlertState.RESOLVED, AlertState.FALSE_ALARM

ALERT = Alert(
    rule="p10_floor",
    series=SERIES,
    segment=Segment(field="feature", value="se\x1b[31march\n"),
    state=OPEN,
    opened_at=start_of(10),
    onset=start_of(4),
    updated_at=start_of(10),
    sentence="62 of 500 scored outputs are below 0.25.",
    numbers={"bad": 62, "n": 500, "p_value": None},
)


def event(
    before: AlertState | None, after: AlertState, why: str = "why", who: str = "tailwatch"
) -> AlertEvent:
    return AlertEvent(
        alert_id=ALERT.alert_id, at=start_of(10), before=before, after=after, who=who, why=why
    )


def message(news: Told, alert: Alert = ALERT, destination: str = "team") -> AlertMessage:
    return alert_message(
        alert, news, source="app", destination=destination, severity=Severity.ERROR
    )


CHANGES = {
    (None, OPEN): Change.OPENED,
    (OPEN, OPEN): Change.ATTACHED,
    (ACKNOWLEDGED, ACKNOWLEDGED): Change.ATTACHED,
    (MUTED, MUTED): None,
    (OPEN, ACKNOWLEDGED): Change.ACKNOWLEDGED,
    (MUTED, ACKNOWLEDGED): Change.ACKNOWLEDGED,
    (OPEN, MUTED): None,
    (ACKNOWLEDGED, MUTED): None,
    (MUTED, OPEN): Change.REOPENED,
    (RESOLVED, OPEN): Change.REOPENED,
    (OPEN, RESOLVED): Change.RESOLVED,
    (MUTED, RESOLVED): Change.RESOLVED,
    (ACKNOWLEDGED, RESOLVED): Change.RESOLVED,
    (OPEN, FALSE_ALARM): Change.RESOLVED,
    (RESOLVED, FALSE_ALARM): None,
}


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_is_told_of_each_change(before: AlertState | None, after: AlertState) -> None:
    assert change_of(event(before, after)) is CHANGES[before, after]


def test_monitors_that_join_at_the_opening_are_part_of_its_message() -> None:
    events = [event(None, OPEN), *(event(OPEN, OPEN, f"monitor {i}.") for i in range(8))]
    (news,) = told(events)
    assert news.change is Change.OPENED
    body = message(news).body.split("\n")
    assert body[0] == ALERT.sentence
    assert body[2:9] == [
        *(f"Also: monitor {i}." for i in range(5)),
        "Also: 3 more monitors",
        f"Next: tailwatch alerts show {ALERT.alert_id}",
    ]
    assert [each.change for each in told([event(OPEN, RESOLVED), event(RESOLVED, OPEN)])] == [
        Change.RESOLVED,
        Change.REOPENED,
    ]


def test_a_message_says_what_where_and_since_when() -> None:
    found = message(Told(change=Change.OPENED, events=(event(None, OPEN, ALERT.sentence),)))
    assert found.title == (
        "Alert: lexical_support in feature=se\ufffd[31march  (p10_floor), "
        "since about Mon 2 Mar 14:00 UTC"
    )
    assert found.body == f"{ALERT.sentence}\nNext: tailwatch alerts show {ALERT.alert_id}"
    assert found.fields["Began about"] == "Mon 2 Mar 14:00 UTC"
    assert (found.fields["bad"], found.fields["n"]) == ("62", "500")
    assert "p value" not in found.fields


def test_a_persons_word_is_told_as_theirs() -> None:
    resolved = replace(ALERT, state=RESOLVED, resolved_at=start_of(12))
    news = Told(change=Change.RESOLVED, events=(event(OPEN, RESOLVED, "rolled back", "ann"),))
    found = message(news, resolved)
    assert found.title.startswith("Resolved: lexical_support in ")
    assert found.title.endswith("over Mon 2 Mar 22:00 UTC")
    assert found.body.startswith(f"ann: rolled back\nIt was: {ALERT.sentence}\nTo look back:")


def test_the_id_follows_from_event_and_destination() -> None:
    news = Told(change=Change.OPENED, events=(event(None, OPEN),))
    later = replace(ALERT, sentence="another sentence")
    assert message(news).message_id == message(news, later).message_id
    others = [
        message(news, destination="pager"),
        message(Told(change=Change.OPENED, events=(event(None, OPEN, "x"),))),
    ]
    assert message(news).message_id not in [other.message_id for other in others]


def test_a_trial_says_that_it_is_one() -> None:
    trial = trial_message("app", "team", start_of(0))
    assert (trial.change, trial.severity) == (Change.TEST, Severity.INFO)
    assert trial.title.startswith("Test: ")

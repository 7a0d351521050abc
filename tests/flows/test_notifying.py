"""Messages from a change to the receiver: the right ones, in order, once, at the right time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.lifecycle import acknowledge, advance, dismiss, mute
from flows.notifying import HISTORY, MAX_ATTEMPTS, pause
from storage.store import Store
from tailwatch.alert import AlertState, Severity
from tailwatch.errors import AlertChangedError
from tailwatch.plan import RulePlan
from tailwatch.protocols import AlertMessage
from tailwatch.window import HOUR
from tests.flows.alert_story import BREACH, OK, POLICY, SOURCE, Story, at, found, parts_for, send
from tests.receivers import SLACK_PATH, Receiver
from tests.storage import conftest as stores

postgres_url, migrated_postgres = stores.postgres_url, stores.migrated_postgres
migrated_sqlite, store_url, store = stores.migrated_sqlite, stores.store_url, stores.store


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def titles(receiver: Receiver) -> list[str]:
    return [body["title"] for body in receiver.bodies]


def test_slack_and_pagerduty_get_the_right_messages(store: Store, receiver: Receiver) -> None:
    parts = parts_for(
        store,
        receiver.url,
        {"use": "slack", "name": "team"},
        {"use": "pagerduty", "on": ["opened", "attached", "acknowledged", "resolved", "reopened"]},
    )
    story = Story(parts)
    acts: list[Callable[[], None]] = [
        lambda: story.check(BREACH, 10),
        lambda: story.check(BREACH, 11),
        lambda: story.attach(12, "cost went up.", "latency went up."),
        lambda: story.person(acknowledge, 13),
        lambda: story.check(OK, 14),
        lambda: story.check(BREACH, 15),
    ]
    for act in acts:
        act()
        send(parts, at(16))

    slack = [r.body for r in receiver.taken if r.path == SLACK_PATH]
    pager = [r.body for r in receiver.taken if r.path != SLACK_PATH]
    subject = "faithfulness in feature=search (p10_floor), since about"
    since = "Mon 2 Mar 19:00 UTC"
    assert [body["text"] for body in slack] == [
        f"🔴 Alert: {subject} {since}",
        f"🟠 Alert grows: {subject} {since}",
        f"🟢 Resolved: {subject} {since}, over Tue 3 Mar 00:00 UTC",
        f"🔴 Alert again: {subject} {since}",
    ]
    stories = [body["blocks"][1]["text"]["text"].split("\n") for body in slack]
    show = f"tailwatch alerts show {story.known.alert_id}"
    sentence = "62 of 500 scored 0.25 or lower, seen at"
    assert stories == [
        [f"{sentence} 10.", f"Next: {show}"],
        [
            "Also: another monitor: cost went up.",
            "Also: another monitor: latency went up.",
            f"The incident: {sentence} 11.",
            f"Next: {show}",
        ],
        [
            f"Over: 1 checks in a row found nothing: {sentence} 14.",
            f"It was: {sentence} 11.",
            f"To look back: {show}",
        ],
        [f"a breach 1 h after it was resolved: {sentence} 15.", f"Next: {show}"],
    ]
    shown = [field["text"] for field in slack[0]["blocks"][2]["fields"]]
    assert "Segment: feature=search" in shown
    assert "bad: 62" in shown
    key = f"memory/{story.known.alert_id}"
    assert [(body["event_action"], body["dedup_key"]) for body in pager] == [
        ("trigger", key),
        ("trigger", key),
        ("acknowledge", key),
        ("resolve", key),
        ("trigger", key),
    ]
    assert pager[0]["payload"]["severity"] == "error"
    assert receiver.incidents == {key: "triggered"}
    assert receiver.refused == []


def test_a_receiver_down_for_an_hour_gets_each_message_once_in_order(
    store: Store, receiver: Receiver
) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    story = Story(parts)
    receiver.down = 503
    for hour, status in ((10, BREACH), (11, OK), (12, BREACH)):
        story.check(status, hour)
    for minute in range(0, 60, 10):
        (report,) = send(parts, at(12) + timedelta(minutes=minute))
        assert report.sent == 0
        assert report.error is None or report.error.startswith("not taken: HTTP 503")
    assert receiver.attempts < 12  # not hammered: three tries at once, then ever longer pauses
    receiver.down = None

    (report,) = send(parts, at(13) + timedelta(minutes=30))

    assert (report.sent, report.failed, report.given_up) == (3, 0, 0)
    assert [title.partition(":")[0] for title in titles(receiver)] == [
        "Alert",
        "Resolved",
        "Alert again",
    ]
    send(parts, at(20))
    assert len(receiver.taken) == 3


def test_nobody_listening_neither_raises_nor_loses(store: Store) -> None:
    with Receiver() as gone:
        url = gone.url
    parts = parts_for(store, url, {"use": "webhook"}, {"use": "slack"})
    Story(parts).check(BREACH, 10)

    reports = send(parts, at(11))

    assert [report.error for report in reports] == ["no answer: ConnectError"] * 2
    assert len(store.notices(SOURCE, ["pending"])) == 2


def test_one_dead_destination_does_not_hold_up_another(store: Store, receiver: Receiver) -> None:
    parts = parts_for(store, receiver.url, {"use": "slack"}, {"use": "webhook"})
    broken = replace(parts.destinations[0], notifier=_Broken())
    parts = replace(parts, destinations=(broken, parts.destinations[1]))
    Story(parts).check(BREACH, 10)

    reports = send(parts, at(11))

    assert [report.sent for report in reports] == [0, 1]
    assert reports[0].error == "the notifier failed: ZeroDivisionError"


class _Broken:
    """A plug-in with a fault, whose text would give a secret away."""

    async def notify(self, message: AlertMessage) -> str:
        raise ZeroDivisionError(f"secret of {message.title}")


def test_a_refused_message_is_given_up_and_the_next_one_goes_out(
    store: Store, receiver: Receiver
) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    story = Story(parts)
    story.check(BREACH, 10)
    receiver.down = 422
    assert send(parts, at(11))[0].given_up == 1
    receiver.down = None
    story.check(OK, 12)
    assert send(parts, at(13))[0].sent == 1
    assert [title.partition(":")[0] for title in titles(receiver)] == ["Resolved"]


def test_a_message_is_given_up_after_many_attempts(store: Store, receiver: Receiver) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    Story(parts).check(BREACH, 10)
    receiver.down = 500
    for hour in range(MAX_ATTEMPTS):
        send(parts, at(11 + hour), patience=timedelta(0))
    assert receiver.attempts == MAX_ATTEMPTS
    assert [record.state for record in store.notices(SOURCE, ["given_up"])] == ["given_up"]


@pytest.mark.parametrize(
    ("attempts", "asked", "expected"),
    [
        (1, None, 5),
        (2, None, 20),
        (4, None, 320),
        (6, None, 1800),
        (99, None, 1800),
        (1, 60, 60),
        (3, 60, 80),
        (1, 1e9, 1800),
    ],
)
def test_pauses_grow_to_half_an_hour(attempts: int, asked: float | None, expected: int) -> None:
    assert pause(attempts, asked) == timedelta(seconds=expected)


def test_quiet_hours_delay_and_drop_nothing(store: Store, receiver: Receiver) -> None:
    night = {"quiet_hours": "22:00-07:00 UTC"}
    parts = parts_for(
        store,
        receiver.url,
        {"use": "webhook", "name": "calm", **night},
        {"use": "webhook", "name": "asleep", "even_at_night": True, **night},
    )
    story = Story(parts)
    midnight = at(14)
    assert midnight.hour == 0
    story.check(BREACH, 14)
    assert [report.sent for report in send(parts, midnight)] == [0, 0]
    story.check(OK, 15)
    assert [report.sent for report in send(parts, midnight + 6 * HOUR)] == [0, 0]
    assert [report.sent for report in send(parts, midnight + 7 * HOUR)] == [2, 2]


def test_a_critical_alert_may_go_out_at_night(store: Store, receiver: Receiver) -> None:
    night = {"use": "webhook", "quiet_hours": "22:00-07:00 UTC"}
    parts = parts_for(
        store,
        receiver.url,
        {"name": "calm", **night},
        {"name": "woken", "even_at_night": True, **night},
    )
    critical = parts.rules[0].plan.model_copy(update={"severity": Severity.CRITICAL})
    rule = replace(parts.rules[0], plan=RulePlan.model_validate(critical.model_dump()))
    parts = replace(parts, rules=(rule,))
    Story(parts).check(BREACH, 14)
    assert [report.sent for report in send(parts, at(14))] == [0, 1]


def test_a_destination_is_told_what_it_asked_for(store: Store, receiver: Receiver) -> None:
    parts = parts_for(
        store,
        receiver.url,
        {"use": "webhook", "name": "ends", "on": ["resolved"]},
        {"use": "webhook", "name": "urgent", "least_severity": "critical"},
    )
    story = Story(parts)
    story.check(BREACH, 10)
    story.person(dismiss, 11)
    send(parts, at(12))
    (body,) = receiver.bodies
    assert body["title"].startswith("False alarm: faithfulness in feature=search")
    assert body["body"].startswith("ann: I <look> at it\nIt was: 62 of 500")


def test_a_muted_alert_is_silent_until_its_mute_ends(store: Store, receiver: Receiver) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    story = Story(parts)
    story.check(BREACH, 10)
    story.person(mute, 11, until=at(14))
    story.attach(12, "cost went up.")
    story.check(BREACH, 13)
    send(parts, at(13))
    assert len(receiver.taken) == 1
    story.check(BREACH, 14)
    send(parts, at(14))
    assert [title.partition(":")[0] for title in titles(receiver)] == ["Alert", "Alert again"]


def test_what_began_and_ended_long_ago_is_not_told(store: Store, receiver: Receiver) -> None:
    parts = parts_for(store, receiver.url, {"use": "webhook"})
    story = Story(parts)
    later = at(12) + HISTORY
    opened = advance(None, found(BREACH, 10), at(10), POLICY)
    assert opened.alert is not None
    story.record(opened.alert, opened.events, later)
    resolved = advance(opened.alert, found(OK, 11), at(11), POLICY)
    assert resolved.alert is not None
    story.record(resolved.alert, resolved.events, later)

    assert send(parts, later)[0].sent == 0
    assert [record.state for record in store.notices(SOURCE, ["given_up"])] == ["given_up"] * 2


def test_a_person_and_a_check_do_not_undo_one_another(store: Store, receiver: Receiver) -> None:
    story = Story(parts_for(store, receiver.url))
    story.check(BREACH, 10)
    read_before = story.known
    story.person(acknowledge, 11)
    step = advance(read_before, found(BREACH, 12), at(12), POLICY)
    assert step.alert is not None
    with pytest.raises(AlertChangedError):
        store.record_alert(SOURCE, step.alert, step.events, before=read_before)
    (stored,) = store.alerts()
    assert stored.state is AlertState.ACKNOWLEDGED

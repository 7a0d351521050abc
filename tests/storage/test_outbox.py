"""The outbox: recorded with the change, sent by one, in order, and never lost."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from storage.outbox import LEASE
from storage.records import Notice, NoticeRecord
from storage.store import Store, open_store
from tailwatch.alert import Alert, AlertState, Change, Severity
from tailwatch.errors import StoreError
from tailwatch.protocols import AlertMessage
from tests.storage.examples import NOW, SOURCE
from tests.storage.test_alerts import CHAT, OPEN, RESOLVED, event

ALL = [severity.value for severity in Severity]


def notice(
    name: str, alert: Alert = OPEN, *, to: str = "team", history: bool = False, hours: int = 0
) -> Notice:
    return Notice(
        destination=to,
        history=history,
        message=AlertMessage(
            message_id=f"{name} for {to}",
            change=Change.OPENED,
            severity=Severity.ERROR,
            source=SOURCE,
            alert_id=alert.alert_id,
            at=NOW + timedelta(hours=hours),
            title=name,
            body="what \x00 happened",
            fields={"rule": "floor"},
        ),
    )


def take(store: Store, claim: str = "a", now: datetime = NOW, to: str = "team") -> str | None:
    """The title of the message that a sender gets."""
    found = store.claim_notice(SOURCE, to, now, claim, ALL)
    return found.notice.message.title if found else None


def states(store: Store) -> list[tuple[str, str]]:
    records = store.notices(SOURCE, ["pending", "sent", "given_up"])
    return [(record.notice.message.title, record.state) for record in records]


def test_a_message_comes_back_whole(store: Store) -> None:
    given = notice("opened")
    store.record_alert(SOURCE, OPEN, [event(None, AlertState.OPEN)], [given])
    claimed = store.claim_notice(SOURCE, "team", NOW, "a", ALL)
    assert claimed == NoticeRecord(
        notice=given,
        state="pending",
        attempts=1,
        next_attempt_at=NOW,
        last_error=None,
        delivered_at=None,
    )


def test_recording_again_makes_no_second_one(store: Store) -> None:
    for _ in range(2):
        store.record_alert(SOURCE, OPEN, [], [notice("opened"), notice("opened", to="pager")])
        assert take(store) in ("opened", None)
        store.mark_sent("opened for team", "a", NOW)
    assert states(store) == [("opened", "sent"), ("opened", "pending")]


def test_a_change_and_its_messages_are_recorded_together_or_not_at_all(store: Store) -> None:
    naive = replace(OPEN, updated_at=NOW.replace(tzinfo=None))
    with pytest.raises((ValueError, StoreError)):
        store.record_alert(SOURCE, naive, [], [notice("opened")])
    late = replace(notice("x").message, at=NOW.replace(tzinfo=None))
    with pytest.raises((ValueError, StoreError)):
        store.record_alert(SOURCE, OPEN, [], [Notice(destination="team", message=late)])
    assert (store.alerts(), states(store)) == ([], [])


def test_a_claimed_message_is_one_senders_until_the_lease_ends(store: Store) -> None:
    store.record_alert(SOURCE, OPEN, [], [notice("opened")])
    assert take(store, "a") == "opened"
    assert take(store, "b", NOW + LEASE - timedelta(seconds=1)) is None
    assert take(store, "b", NOW + LEASE) == "opened"
    assert not store.mark_sent("opened for team", "a", NOW)
    assert store.mark_sent("opened for team", "b", NOW)
    assert take(store, "c", NOW + 2 * LEASE) is None


def test_messages_about_one_alert_wait_for_the_one_before(store: Store) -> None:
    store.record_alert(SOURCE, OPEN, [], [notice("opened")])
    store.record_alert(SOURCE, RESOLVED, [], [notice("resolved", hours=-1)])
    store.record_alert(SOURCE, CHAT, [], [notice("another", CHAT)])
    assert [take(store, "a") for _ in range(3)] == ["opened", "another", None]
    later = NOW + timedelta(hours=1)
    store.mark_failed("opened for team", "a", error="down", again_at=later)
    assert take(store, "a") is None
    assert take(store, "a", later) == "opened"
    store.mark_failed("opened for team", "a", error="refused", again_at=None)
    assert take(store, "a", later) == "resolved"


def test_a_failed_message_is_due_again_later_and_counts_its_attempts(store: Store) -> None:
    store.record_alert(SOURCE, OPEN, [], [notice("opened")])
    for attempt in range(1, 4):
        now = NOW + timedelta(hours=attempt)
        claimed = store.claim_notice(SOURCE, "team", now, "a", ALL)
        assert claimed is not None
        assert claimed.attempts == attempt
        again = now + timedelta(minutes=30)
        assert store.mark_failed("opened for team", "a", error="down", again_at=again)
        assert take(store, "a", again - timedelta(seconds=1)) is None
    (record,) = store.notices(SOURCE, ["pending"])
    assert (record.attempts, record.last_error) == (3, "down")


def test_what_was_given_up_can_be_tried_again(store: Store) -> None:
    store.record_alert(SOURCE, OPEN, [], [notice("opened")])
    take(store)
    store.mark_failed("opened for team", "a", error="refused", again_at=None)
    assert take(store) is None
    assert store.revive_notices(SOURCE, NOW) == 1
    assert take(store) == "opened"


def test_severities_that_must_wait_stay(store: Store) -> None:
    store.record_alert(SOURCE, OPEN, [], [notice("opened")])
    assert store.claim_notice(SOURCE, "team", NOW, "a", ["critical"]) is None
    assert take(store) == "opened"


@pytest.mark.parametrize(
    ("alert", "history", "expected"),
    [
        (RESOLVED, (True, True), ["given_up", "given_up"]),
        (RESOLVED, (True, False), ["sent", "sent"]),
        (RESOLVED, (False, True), ["sent", "sent"]),
        (OPEN, (True, True), ["sent", "sent"]),
    ],
)
def test_an_incident_of_the_past_is_told_only_if_it_lasts_or_is_new(
    store: Store, alert: Alert, history: tuple[bool, bool], expected: list[str]
) -> None:
    first, second = (notice(n, history=h) for n, h in zip(("1", "2"), history, strict=True))
    store.record_alert(SOURCE, OPEN, [], [first])
    store.record_alert(SOURCE, alert, [], [second])
    while title := take(store):
        store.mark_sent(f"{title} for team", "a", NOW)
    assert states(store) == [("1", expected[0]), ("2", expected[1])]
    assert store.revive_notices(SOURCE, NOW) == 0


def send_all(url: str) -> list[str]:
    """What one of several senders got."""
    name = multiprocessing.current_process().name
    got = []
    with open_store(url) as store:
        while title := take(store, name):
            got.append(title)
            assert store.mark_sent(f"{title} for team", name, NOW)
    return got


def test_two_senders_at_once_send_each_message_once(store: Store, store_url: str) -> None:
    for number in range(30):
        alert = replace(OPEN, opened_at=NOW + timedelta(hours=number))
        store.record_alert(SOURCE, alert, [], [notice(f"{number}", alert)])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        got = [title for part in pool.map(send_all, [store_url] * 2) for title in part]
    assert sorted(got) == sorted(f"{number}" for number in range(30))
    assert {state for _, state in states(store)} == {"sent"}

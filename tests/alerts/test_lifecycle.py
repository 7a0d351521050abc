"""The life of an alert: every state against everything that can happen to it."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import Advance, Policy, acknowledge, advance, dismiss, mute, resolve
from tailwatch.alert import (
    ALL_TRAFFIC,
    Alert,
    AlertEvent,
    AlertState,
    Finding,
    FindingStatus,
)
from tailwatch.errors import ConfigurationError
from tailwatch.window import HOUR, Window
from tests.alerts.samples import SEARCH, SERIES, start_of

OPEN, ACKNOWLEDGED = AlertState.OPEN, AlertState.ACKNOWLEDGED
MUTED, RESOLVED = AlertState.MUTED, AlertState.RESOLVED
FALSE_ALARM = AlertState.FALSE_ALARM
BREACH, OK = FindingStatus.BREACH, FindingStatus.OK
NO_DATA, LEARNING = FindingStatus.NO_DATA, FindingStatus.LEARNING
POLICY = Policy(resolve_after=2, reopen_within=timedelta(hours=24))


def find(status: FindingStatus, index: int, onset: datetime | None = None) -> Finding:
    """What the check at hour `index` finds; a breach began an hour before unless told."""
    return Finding(
        rule="floor",
        series=SERIES,
        segment=ALL_TRAFFIC,
        window=Window(start_of(index - 24), start_of(index)),
        status=status,
        sentence=f"{status} at {index}.",
        onset=(onset or start_of(index - 1)) if status is BREACH else None,
        numbers={"hour": index},
    )


def step(alert: Alert | None, status: FindingStatus, index: int) -> Advance:
    return advance(alert, find(status, index), start_of(index), POLICY)


def walk(alert: Alert | None, *statuses: FindingStatus, begin: int) -> tuple[Alert, int]:
    """The alert after checks an hour apart, and the hour of the next one."""
    for index, status in enumerate(statuses, begin):
        alert = step(alert, status, index).alert
    assert alert is not None
    return alert, begin + len(statuses)


def opened() -> Alert:
    return walk(None, BREACH, begin=0)[0]


def made(state: str) -> Alert:
    """An alert that came to its state by hour 3; the next check is hour 4."""
    alert, at = opened(), start_of(1)
    if state == "open":
        return alert
    if state == "open, one quiet":
        return walk(alert, OK, begin=1)[0]
    if state.startswith("acknowledged"):
        seen = walk(alert, OK, begin=1)[0] if state.endswith("one quiet") else alert
        after = acknowledge(seen, who="ann", why="looking", now=at)
    elif state == "muted":
        after = mute(alert, until=start_of(9), who="ann", why="known", now=at)
    elif state == "mute over":
        after = mute(alert, until=start_of(4), who="ann", why="known", now=at)
    elif state == "mute over, quiet":
        muted = mute(alert, until=start_of(4), who="ann", why="known", now=at).alert
        return walk(muted, OK, OK, begin=2)[0]
    elif state == "resolved":
        return walk(alert, OK, OK, begin=1)[0]
    elif state == "false alarm":
        after = dismiss(alert, who="ann", why="a test of ours", now=start_of(3))
    elif state == "resolved long ago":
        quiet = walk(alert, OK, OK, begin=-24)[0]
        return walk(quiet, OK, OK, begin=1)[0]
    else:
        after = resolve(alert, who="ann", why="rolled back", now=start_of(3))
    assert after.alert is not None
    return after.alert


SAME = "no event"
TABLE = {
    # state of the alert, next finding: state after it and the event, or none
    ("open", BREACH): (OPEN, SAME),
    ("open", OK): (OPEN, SAME),
    ("open", NO_DATA): (OPEN, SAME),
    ("open", LEARNING): (OPEN, SAME),
    ("open, one quiet", BREACH): (OPEN, SAME),
    ("open, one quiet", OK): (RESOLVED, "2 checks in a row found nothing: ok at 4."),
    ("open, one quiet", NO_DATA): (OPEN, SAME),
    ("open, one quiet", LEARNING): (OPEN, SAME),
    ("acknowledged", BREACH): (ACKNOWLEDGED, SAME),
    ("acknowledged", OK): (ACKNOWLEDGED, SAME),
    ("acknowledged", NO_DATA): (ACKNOWLEDGED, SAME),
    ("acknowledged", LEARNING): (ACKNOWLEDGED, SAME),
    ("acknowledged, one quiet", BREACH): (ACKNOWLEDGED, SAME),
    ("acknowledged, one quiet", OK): (RESOLVED, "2 checks in a row found nothing: ok at 4."),
    ("acknowledged, one quiet", NO_DATA): (ACKNOWLEDGED, SAME),
    ("muted", BREACH): (MUTED, SAME),
    ("muted", OK): (MUTED, SAME),
    ("muted", NO_DATA): (MUTED, SAME),
    ("muted", LEARNING): (MUTED, SAME),
    ("mute over", BREACH): (OPEN, "the mute ended"),
    ("mute over", OK): (OPEN, "the mute ended"),
    ("mute over", NO_DATA): (OPEN, "the mute ended"),
    ("mute over", LEARNING): (OPEN, "the mute ended"),
    ("mute over, quiet", BREACH): (OPEN, "the mute ended"),
    ("mute over, quiet", OK): (RESOLVED, "3 checks in a row found nothing: ok at 4."),
    ("mute over, quiet", NO_DATA): (OPEN, "the mute ended"),
    ("resolved", BREACH): (OPEN, "a breach 2 h after it was resolved: breach at 4."),
    ("resolved", OK): (RESOLVED, SAME),
    ("resolved", NO_DATA): (RESOLVED, SAME),
    ("resolved", LEARNING): (RESOLVED, SAME),
    ("resolved by hand", BREACH): (RESOLVED, SAME),  # it began at 3, when it was resolved
    ("resolved by hand", OK): (RESOLVED, SAME),
    ("resolved by hand", NO_DATA): (RESOLVED, SAME),
    ("resolved by hand", LEARNING): (RESOLVED, SAME),
    ("false alarm", BREACH): (FALSE_ALARM, SAME),  # it began at 3, when it was dismissed
    ("false alarm", OK): (FALSE_ALARM, SAME),
    ("false alarm", NO_DATA): (FALSE_ALARM, SAME),
    ("false alarm", LEARNING): (FALSE_ALARM, SAME),
}


@pytest.mark.parametrize(("state", "status"), TABLE)
def test_every_state_against_every_finding(state: str, status: FindingStatus) -> None:
    before = made(state)
    expected, why = TABLE[state, status]
    after = step(before, status, 4)
    assert after.alert is not None
    assert after.alert.state is expected
    assert after.alert.alert_id == before.alert_id
    if why == SAME:
        assert after.events == ()
    else:
        assert after.events == (
            AlertEvent(
                alert_id=before.alert_id,
                at=start_of(4),
                before=before.state,
                after=expected,
                who="tailwatch",
                why=why,
            ),
        )


@pytest.mark.parametrize("state", sorted({state for state, _ in TABLE}))
@pytest.mark.parametrize("status", list(FindingStatus))
def test_the_same_check_again_changes_nothing(state: str, status: FindingStatus) -> None:
    once = step(made(state), status, 4).alert
    again = step(once, status, 4)
    assert again == Advance(alert=once)


def test_a_breach_opens_an_alert_and_nothing_else_does() -> None:
    for status in (OK, NO_DATA, LEARNING):
        assert step(None, status, 0) == Advance(alert=None)
    after = step(None, BREACH, 0)
    assert after.alert is not None
    assert (after.alert.state, after.alert.onset) == (OPEN, start_of(-1))
    assert [(e.before, e.after, e.why) for e in after.events] == [(None, OPEN, "breach at 0.")]


def test_a_lasting_breach_refreshes_the_alert_and_keeps_its_beginning() -> None:
    alert, _ = walk(opened(), OK, BREACH, begin=1)
    assert (alert.opened_at, alert.onset) == (start_of(0), start_of(-1))
    assert (alert.updated_at, alert.quiet_checks) == (start_of(2), 0)
    assert (alert.sentence, alert.numbers) == ("breach at 2.", {"hour": 2})


def test_a_quiet_check_keeps_the_sentence_of_the_breach() -> None:
    assert walk(opened(), OK, NO_DATA, begin=1)[0].sentence == "breach at 0."


def test_no_data_neither_counts_as_quiet_nor_starts_the_count_again() -> None:
    assert walk(opened(), *[NO_DATA] * 50, begin=1)[0].state is OPEN
    assert walk(opened(), OK, NO_DATA, OK, begin=1)[0].state is RESOLVED


def test_an_older_check_changes_nothing() -> None:
    alert, _ = walk(opened(), OK, begin=5)
    assert step(alert, OK, 4) == Advance(alert=alert)


def test_the_incident_is_another_one_after_the_reopening_time() -> None:
    resolved = made("resolved")  # at hour 2
    assert resolved.resolved_at == start_of(2)
    same = step(resolved, BREACH, 26).alert
    other = step(resolved, BREACH, 27)
    assert same is not None
    assert same.alert_id == resolved.alert_id
    assert other.alert is not None
    assert other.alert.alert_id != resolved.alert_id
    assert other.events[0].before is None


def test_reopened_keeps_the_beginning_and_clears_the_end() -> None:
    alert = step(made("resolved"), BREACH, 4).alert
    assert alert is not None
    assert (alert.opened_at, alert.resolved_at, alert.quiet_checks) == (start_of(0), None, 0)


def test_what_a_person_resolved_comes_back_only_with_something_new() -> None:
    resolved = made("resolved by hand")  # at hour 3
    old = find(BREACH, 10, onset=start_of(2))
    new = find(BREACH, 10, onset=start_of(4))
    assert advance(resolved, old, start_of(10), POLICY) == Advance(alert=resolved)
    reopened = advance(resolved, new, start_of(10), POLICY).alert
    assert reopened is not None
    assert (reopened.state, reopened.alert_id) == (OPEN, resolved.alert_id)
    quiet = step(resolved, OK, 5).alert
    again = advance(quiet, old, start_of(10), POLICY).alert
    assert again is not None
    assert again.state is OPEN
    still_bad = advance(resolved, find(BREACH, 28, onset=start_of(2)), start_of(28), POLICY)
    assert still_bad.alert is not None
    assert still_bad.alert.opened_at == start_of(28)


@pytest.mark.parametrize("state", ["open", "acknowledged", "muted"])
def test_what_people_do_is_kept_with_who_and_why(state: str) -> None:
    alert, now = made(state), start_of(3)
    for after, expected in (
        (mute(alert, until=start_of(8), who="bo", why="known", now=now), MUTED),
        (resolve(alert, who="bo", why="fixed", now=now), RESOLVED),
        (dismiss(alert, who="bo", why="planned", now=now), FALSE_ALARM),
    ):
        assert after.alert is not None
        assert after.alert.state is expected
        (event,) = after.events
        assert (event.before, event.after, event.at) == (alert.state, expected, now)
        assert event.who == "bo"


def test_acknowledging_twice_is_one_event() -> None:
    alert = made("acknowledged")
    assert acknowledge(alert, who="bo", why="me too", now=start_of(3)) == Advance(alert=alert)
    unmuted = acknowledge(made("muted"), who="bo", why="looking", now=start_of(3))
    assert unmuted.alert is not None
    assert (unmuted.alert.state, unmuted.alert.muted_until) == (ACKNOWLEDGED, None)


def test_a_resolved_alert_takes_no_orders() -> None:
    alert, now = made("resolved"), start_of(3)
    assert resolve(alert, who="bo", why="fixed", now=now) == Advance(alert=alert)
    with pytest.raises(ConfigurationError, match="cannot be acknowledged"):
        acknowledge(alert, who="bo", why="me", now=now)
    with pytest.raises(ConfigurationError, match="cannot be muted"):
        mute(alert, until=start_of(9), who="bo", why="me", now=now)


def test_a_false_alarm_takes_no_orders_and_stays_one() -> None:
    alert, now = made("false alarm"), start_of(5)
    for order in (resolve, dismiss):
        assert order(alert, who="bo", why="fixed", now=now) == Advance(alert=alert)
    with pytest.raises(ConfigurationError, match="is a false alarm and cannot be muted"):
        mute(alert, until=start_of(9), who="bo", why="me", now=now)


def test_after_a_false_alarm_only_a_later_beginning_is_a_new_alert() -> None:
    dismissed = made("false alarm")  # at hour 3
    for onset in (1, 3):
        old = find(BREACH, 90, onset=start_of(onset))
        assert advance(dismissed, old, start_of(90), POLICY) == Advance(alert=dismissed)
    new = advance(dismissed, find(BREACH, 5, onset=start_of(4)), start_of(5), POLICY)
    assert new.alert is not None
    assert (new.alert.state, new.alert.opened_at) == (OPEN, start_of(5))
    assert new.events[0].before is None


def test_a_resolved_alert_can_be_called_a_false_alarm_later() -> None:
    resolved = made("resolved")
    after = dismiss(resolved, who="bo", why="seen in review", now=start_of(50))
    assert after.alert is not None
    assert (after.alert.state, after.alert.resolved_at) == (FALSE_ALARM, resolved.resolved_at)
    assert [(e.before, e.after) for e in after.events] == [(RESOLVED, FALSE_ALARM)]


def test_a_mute_ends_in_the_future() -> None:
    with pytest.raises(ConfigurationError, match="give a later time"):
        mute(opened(), until=start_of(3), who="bo", why="me", now=start_of(3))


def test_a_finding_about_something_else_is_refused() -> None:
    alert = opened()
    other = Finding(
        rule="floor",
        series=SERIES,
        segment=SEARCH,
        window=Window.hour_of(start_of(0)),
        status=OK,
        sentence="",
    )
    with pytest.raises(ValueError, match="no news of the alert"):
        advance(alert, other, start_of(0) + HOUR, POLICY)


@given(st.lists(st.sampled_from(list(FindingStatus)), max_size=60))
def test_any_story_is_one_unbroken_chain_of_events(statuses: list[FindingStatus]) -> None:
    alert: Alert | None = None
    states: dict[str, AlertState] = {}
    for index, status in enumerate(statuses):
        after = step(alert, status, index)
        for event in after.events:
            assert states.get(event.alert_id) is event.before
            states[event.alert_id] = event.after
        alert = after.alert
        if alert is not None:
            assert states[alert.alert_id] is alert.state
            assert (alert.resolved_at is not None) == (alert.state is RESOLVED)

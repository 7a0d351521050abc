from dataclasses import replace
from datetime import timedelta

import pytest

from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Alert, AlertEvent, AlertState, Segment
from tailwatch.errors import ConfigurationError
from tests.storage.examples import FAITHFULNESS, NOW, SOURCE

OPEN = Alert(
    rule="floor",
    series=FAITHFULNESS,
    segment=ALL_TRAFFIC,
    state=AlertState.OPEN,
    opened_at=NOW,
    onset=NOW - timedelta(hours=3),
    updated_at=NOW,
    sentence="62 of 500 scored 0.25 or lower",
    numbers={"bad": 62, "share": 0.124, "p": None, "odd": float("nan")},
)
CHAT = replace(OPEN, segment=Segment(field="feature", value="chat"), opened_at=NOW + timedelta(1))
RESOLVED = replace(OPEN, state=AlertState.RESOLVED, resolved_at=NOW, quiet_checks=6)


def event(before: AlertState | None, after: AlertState, hours: int = 0) -> AlertEvent:
    at = NOW + timedelta(hours=hours)
    return AlertEvent(
        alert_id=OPEN.alert_id, at=at, before=before, after=after, who="tailwatch", why="breach"
    )


def test_an_alert_comes_back_with_its_numbers(store: Store) -> None:
    store.record_alert(SOURCE, replace(OPEN, muted_until=NOW))
    kept = replace(OPEN, muted_until=NOW, numbers={**OPEN.numbers, "odd": None})
    assert store.alerts() == [kept]


def test_alerts_are_found_by_state_and_source_newest_first(store: Store) -> None:
    for alert in (OPEN, CHAT):
        store.record_alert(SOURCE, replace(alert, numbers={}))
    store.record_alert("another", replace(RESOLVED, opened_at=NOW - timedelta(1), numbers={}))
    states = {
        "all": [alert.state for alert in store.alerts()],
        "resolved": [alert.state for alert in store.alerts({AlertState.RESOLVED})],
        "unresolved": [alert.segment for alert in store.unresolved_alerts()],
        "unresolved elsewhere": store.unresolved_alerts("another"),
        "first": [alert.segment for alert in store.alerts(limit=1)],
    }
    assert states == {
        "all": [AlertState.OPEN, AlertState.OPEN, AlertState.RESOLVED],
        "resolved": [AlertState.RESOLVED],
        "unresolved": [CHAT.segment, ALL_TRAFFIC],
        "unresolved elsewhere": [],
        "first": [CHAT.segment],
    }


def test_the_history_is_kept_in_order_and_once(store: Store) -> None:
    opened = event(None, AlertState.OPEN)
    acknowledged = event(AlertState.OPEN, AlertState.ACKNOWLEDGED)
    resolved = event(AlertState.ACKNOWLEDGED, AlertState.RESOLVED, hours=2)
    for _ in range(2):
        store.record_alert(SOURCE, OPEN, [opened, acknowledged])
        store.record_alert(SOURCE, RESOLVED, [resolved])
    assert store.alert_events(OPEN.alert_id) == [opened, acknowledged, resolved]
    assert store.alert_events(OPEN.alert_id, source="another") == []
    assert [alert.state for alert in store.alerts()] == [AlertState.RESOLVED]


def test_an_alert_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    for alert in (OPEN, CHAT):
        store.record_alert(SOURCE, replace(alert, numbers={}))
    found = store.alert(OPEN.alert_id[:8].upper())
    assert found is not None
    assert found.alert_id == OPEN.alert_id
    assert store.alert("_%") is None
    with pytest.raises(ConfigurationError, match="several alerts begin with ''"):
        store.alert("")


def test_the_last_check_never_goes_back(store: Store) -> None:
    assert store.last_check(SOURCE) is None
    for moment in (NOW, NOW - timedelta(hours=1)):
        store.record_check(SOURCE, moment)
    assert (store.last_check(SOURCE), store.last_check("another")) == (NOW, None)

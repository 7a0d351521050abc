"""Alerts and their changes as rows of their tables, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from storage.rows import series_of, series_row, short_hash
from tailwatch.alert import Alert, AlertEvent, AlertMonitor, AlertState, Segment


def alert_row(source: str, alert: Alert) -> dict[str, Any]:
    return {
        "source": source,
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        **series_row(alert.series),
        "segment_field": alert.segment.field,
        "segment_value": alert.segment.value,
        "state": alert.state.value,
        "opened_at": alert.opened_at,
        "onset": alert.onset,
        "updated_at": alert.updated_at,
        "resolved_at": alert.resolved_at,
        "muted_until": alert.muted_until,
        "quiet_checks": alert.quiet_checks,
        "sentence": alert.sentence,
        "numbers": dict(alert.numbers),
        "monitors": [_monitor_row(monitor) for monitor in alert.monitors] or None,
    }


def alert_of(row: RowMapping) -> Alert:
    return Alert(
        rule=row["rule"],
        series=series_of(row),
        segment=Segment(field=row["segment_field"], value=row["segment_value"]),
        state=AlertState(row["state"]),
        opened_at=row["opened_at"],
        onset=row["onset"],
        updated_at=row["updated_at"],
        sentence=row["sentence"],
        numbers=row["numbers"],
        quiet_checks=row["quiet_checks"],
        resolved_at=row["resolved_at"],
        muted_until=row["muted_until"],
        monitors=tuple(_monitor_of(each) for each in row["monitors"] or ()),
    )


def _monitor_row(monitor: AlertMonitor) -> dict[str, Any]:
    return {
        "rule": monitor.rule,
        **series_row(monitor.series),
        "segment_field": monitor.segment.field,
        "segment_value": monitor.segment.value,
        "onset": monitor.onset.isoformat(),
        "attached_at": monitor.attached_at.isoformat(),
        "sentence": monitor.sentence,
        "breaching": monitor.breaching,
        "quiet_checks": monitor.quiet_checks,
    }


def _monitor_of(row: Mapping[str, Any]) -> AlertMonitor:
    return AlertMonitor(
        rule=row["rule"],
        series=series_of(row),
        segment=Segment(field=row["segment_field"], value=row["segment_value"]),
        onset=datetime.fromisoformat(row["onset"]),
        attached_at=datetime.fromisoformat(row["attached_at"]),
        sentence=row["sentence"],
        breaching=row["breaching"],
        quiet_checks=row["quiet_checks"],
    )


def event_row(source: str, event: AlertEvent, position: int) -> dict[str, Any]:
    before = event.before.value if event.before else None
    return {
        "event_id": short_hash(
            source,
            event.alert_id,
            event.at.isoformat(),
            before,
            event.after.value,
            event.who,
            event.why,
        ),
        "source": source,
        "alert_id": event.alert_id,
        "at": event.at,
        "position": position,
        "before": before,
        "after": event.after.value,
        "who": event.who,
        "why": event.why,
    }


def event_of(row: RowMapping) -> AlertEvent:
    return AlertEvent(
        alert_id=row["alert_id"],
        at=row["at"],
        before=AlertState(row["before"]) if row["before"] else None,
        after=AlertState(row["after"]),
        who=row["who"],
        why=row["why"],
    )

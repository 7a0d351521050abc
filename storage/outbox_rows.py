"""Messages as rows of the outbox, and back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from storage.records import Notice, NoticeRecord
from tailwatch.alert import Change, Severity
from tailwatch.protocols import AlertMessage


def notice_row(notice: Notice, number: int) -> dict[str, Any]:
    """A new row: pending, due at once, in the place `number` among those about its alert."""
    message = notice.message
    return {
        "message_id": message.message_id,
        "source": message.source,
        "alert_id": message.alert_id,
        "destination": notice.destination,
        "number": number,
        "change": message.change.value,
        "severity": message.severity.value,
        "at": message.at,
        "history": notice.history,
        "title": message.title,
        "body": message.body,
        "fields": dict(message.fields),
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": message.at,
        "last_error": None,
        "delivered_at": None,
        "claim": None,
        "claimed_until": None,
    }


def notice_record_of(row: RowMapping | Mapping[str, Any]) -> NoticeRecord:
    message = AlertMessage(
        message_id=row["message_id"],
        change=Change(row["change"]),
        severity=Severity(row["severity"]),
        source=row["source"],
        alert_id=row["alert_id"],
        at=row["at"],
        title=row["title"],
        body=row["body"],
        fields=row["fields"],
    )
    return NoticeRecord(
        notice=Notice(destination=row["destination"], message=message, history=row["history"]),
        state=row["state"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        last_error=row["last_error"],
        delivered_at=row["delivered_at"],
    )

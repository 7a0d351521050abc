"""The outbox: messages recorded with the change they tell of, then sent, then marked."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from storage.alert_tables import ALERTS, OUTBOX
from storage.connected import Connected
from storage.outbox_rows import notice_record_of, notice_row
from storage.records import Notice, NoticeRecord, NoticeState
from storage.upsert import upsert
from tailwatch.alert import AlertState, Change

LEASE = timedelta(minutes=5)
"""How long a claimed message is its sender's alone; longer than a sender may take."""

_TRIED_AT_ONCE = 10
_WAS_HISTORY = "it began and ended before anyone could be told"
_WAS_HELD = "it ended while its judge was under review, before anyone was told"
_OVER = [state.value for state in AlertState if state.over]
_PAGES = [change.value for change in (Change.OPENED, Change.ATTACHED, Change.REOPENED)]


class Outbox(Connected):
    def claim_notice(
        self,
        source: str,
        destination: str,
        now: datetime,
        claim: str,
        severities: Collection[str],
        held: Collection[str] = (),
    ) -> NoticeRecord | None:
        """The next message to send, now `claim`'s alone for LEASE; None when none is due.

        The messages about one alert come one after another: the next is due when the one before is
        sent or given up. An alert that began and ended in a look back is not told of. What says
        that one of the `held` alerts opened, grew or came back waits.
        """
        with self.database.write() as connection:
            connection.execute(_give_up_history(source, destination))
            query = _due(source, destination, now, severities).limit(_TRIED_AT_ONCE)
            if held:
                columns = OUTBOX.c
                query = query.where(
                    or_(columns.alert_id.not_in(held), columns.change.not_in(_PAGES))
                )
            for row in connection.execute(query).mappings().all():
                taken = connection.execute(_take(row["message_id"], now, claim))
                if taken.rowcount == 1:
                    return notice_record_of({**row, "attempts": row["attempts"] + 1})
        return None

    def give_up_held(self, source: str, alert_ids: Collection[str]) -> int:
        """Give up what nobody was told of alerts that were held and are over; says how many.

        Where a destination heard of the alert before, it still hears that it is over.
        """
        columns = OUTBOX.c
        other = OUTBOX.alias("other")
        told = exists().where(
            other.c.source == columns.source,
            other.c.alert_id == columns.alert_id,
            other.c.destination == columns.destination,
            other.c.attempts > 0,
        )
        statement = (
            update(OUTBOX)
            .where(columns.source == source, columns.alert_id.in_(alert_ids))
            .where(columns.state == "pending", columns.attempts == 0)
            .where(or_(columns.change.in_(_PAGES), ~told))
            .values(state="given_up", last_error=_WAS_HELD)
        )
        if not alert_ids:
            return 0
        with self.database.write() as connection:
            return connection.execute(statement).rowcount

    def mark_sent(self, message_id: str, claim: str, now: datetime) -> bool:
        """Note that a claimed message arrived; False when the claim is no longer this sender's."""
        return self._mark(message_id, claim, state="sent", delivered_at=now, last_error=None)

    def mark_failed(
        self, message_id: str, claim: str, *, error: str, again_at: datetime | None
    ) -> bool:
        """Note that it did not; `again_at` is when to try again, None when it is given up."""
        if again_at is None:
            return self._mark(message_id, claim, state="given_up", last_error=error)
        return self._mark(
            message_id, claim, state="pending", last_error=error, next_attempt_at=again_at
        )

    def notices(
        self, source: str, states: Collection[NoticeState], limit: int | None = None
    ) -> list[NoticeRecord]:
        """The messages in one of the states, oldest first."""
        columns = OUTBOX.c
        query = (
            select(OUTBOX)
            .where(columns.source == source, columns.state.in_(states))
            .order_by(columns.at, columns.alert_id, columns.number, columns.destination)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [notice_record_of(row) for row in connection.execute(query).mappings()]

    def revive_notices(self, source: str, now: datetime) -> int:
        """Make every message that was given up for its failures pending again; says how many."""
        columns = OUTBOX.c
        statement = (
            update(OUTBOX)
            .where(columns.source == source, columns.state == "given_up")
            .where(columns.last_error.not_in([_WAS_HISTORY, _WAS_HELD]))
            .values(state="pending", attempts=0, next_attempt_at=now)
        )
        with self.database.write() as connection:
            return connection.execute(statement).rowcount

    def _mark(self, message_id: str, claim: str, **values: object) -> bool:
        columns = OUTBOX.c
        statement = (
            update(OUTBOX)
            .where(columns.message_id == message_id, columns.claim == claim)
            .where(columns.state == "pending")
            .values(claim=None, claimed_until=None, **values)
        )
        with self.database.write() as connection:
            return connection.execute(statement).rowcount == 1


def put_in_outbox(connection: Connection, notices: Sequence[Notice]) -> None:
    """Add the messages, numbered on from those of the same alert; known ones stay as they are."""
    if not notices:
        return
    columns = OUTBOX.c
    last: dict[tuple[str, str], int] = {}
    rows = []
    for notice in notices:
        about = (notice.message.source, notice.message.alert_id)
        if about not in last:
            query = select(func.max(columns.number)).where(
                columns.source == about[0], columns.alert_id == about[1]
            )
            last[about] = connection.execute(query).scalar() or 0
        last[about] += 1
        rows.append(notice_row(notice, last[about]))
    upsert(connection, OUTBOX, rows, where=lambda _: false())


def _due(source: str, destination: str, now: datetime, severities: Collection[str]) -> Select[Any]:
    columns = OUTBOX.c
    before = OUTBOX.alias("before")
    waits_for_another = exists().where(
        before.c.source == columns.source,
        before.c.alert_id == columns.alert_id,
        before.c.destination == columns.destination,
        before.c.state == "pending",
        before.c.number < columns.number,
    )
    return (
        select(OUTBOX)
        .where(columns.source == source, columns.destination == destination)
        .where(columns.severity.in_(severities))
        .where(_free(now), ~waits_for_another)
        .order_by(columns.at, columns.alert_id, columns.number)
    )


def _take(message_id: str, now: datetime, claim: str) -> Update:
    """Compare and set: of two senders that saw the message as free, one changes a row."""
    columns = OUTBOX.c
    return (
        update(OUTBOX)
        .where(columns.message_id == message_id, _free(now))
        .values(claim=claim, claimed_until=now + LEASE, attempts=columns.attempts + 1)
    )


def _free(now: datetime) -> ColumnElement[bool]:
    columns = OUTBOX.c
    return and_(
        columns.state == "pending",
        columns.next_attempt_at <= now,
        or_(columns.claimed_until.is_(None), columns.claimed_until <= now),
    )


def _give_up_history(source: str, destination: str) -> Update:
    """Changes of an alert that is over, of which none was told yet and all that page somebody were
    found in a look back: that it is over is no news to whoever never heard of it.
    """
    columns = OUTBOX.c
    other = OUTBOX.alias("other")
    pages = other.c.change.in_(_PAGES)
    same_alert = exists().where(
        other.c.source == columns.source,
        other.c.alert_id == columns.alert_id,
        other.c.destination == columns.destination,
    )
    told_or_new = or_(other.c.attempts > 0, and_(other.c.history.is_(False), pages))
    ended = exists().where(
        ALERTS.c.source == columns.source,
        ALERTS.c.alert_id == columns.alert_id,
        ALERTS.c.state.in_(_OVER),
    )
    return (
        update(OUTBOX)
        .where(columns.source == source, columns.destination == destination)
        .where(columns.state == "pending", ended)
        .where(or_(columns.history, same_alert.where(other.c.history, pages)))
        .where(~same_alert.where(told_or_new))
        .values(state="given_up", last_error=_WAS_HISTORY)
    )

"""Alerts with their history, and when the rules last looked."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from storage.alert_rows import alert_of, alert_row, event_of, event_row
from storage.alert_tables import ALERT_CHECKS, ALERT_EVENTS, ALERTS
from storage.connected import Connected
from storage.outbox import put_in_outbox
from storage.records import Notice
from storage.upsert import upsert
from tailwatch.alert import Alert, AlertEvent, AlertState
from tailwatch.errors import AlertChangedError, ConfigurationError

_UNRESOLVED = tuple(state for state in AlertState if not state.over)


class AlertRecords(Connected):
    def record_alert(
        self,
        source: str,
        alert: Alert,
        events: Sequence[AlertEvent] = (),
        notices: Sequence[Notice] = (),
        *,
        before: Alert | None = None,
    ) -> None:
        """Write an alert as it is now, the changes that led there and the messages about them.

        All in one transaction: there is no change without its messages and no message without its
        change. A message that is there already stays as it is. Raises AlertChangedError, writing
        nothing, when `before` is given and the stored alert is no longer in that state: a check
        must not undo what a person did meanwhile, nor a person what a check did.
        """
        rows = [event_row(source, event, place) for place, event in enumerate(events)]
        with self.database.write() as connection:
            if before is not None:
                _refuse_changed(connection, source, before)
            upsert(connection, ALERTS, [alert_row(source, alert)])
            upsert(connection, ALERT_EVENTS, rows)
            put_in_outbox(connection, notices)

    def unresolved_alerts(self, source: str | None = None) -> list[Alert]:
        """The alerts that are open, acknowledged or muted, newest first."""
        return self.alerts(_UNRESOLVED, limit=None, source=source)

    def alerts(
        self,
        states: Collection[AlertState] | None = None,
        limit: int | None = 100,
        source: str | None = None,
    ) -> list[Alert]:
        """The alerts in one of the states (None: in any), newest first."""
        columns = ALERTS.c
        query = (
            select(ALERTS).order_by(columns.opened_at.desc(), columns.alert_id, columns.source)
        ).limit(limit)
        if states is not None:
            query = query.where(columns.state.in_([state.value for state in states]))
        if source is not None:
            query = query.where(columns.source == source)
        with self.database.read() as connection:
            return [alert_of(row) for row in connection.execute(query).mappings()]

    def alert(self, prefix: str, source: str | None = None) -> Alert | None:
        """The alert whose id begins so; None when there is none.

        Raises ConfigurationError when several do.
        """
        columns = ALERTS.c
        query = (
            select(ALERTS)
            .where(columns.alert_id.startswith(prefix.lower(), autoescape=True))
            .order_by(columns.alert_id)
            .limit(2)
        )
        if source is not None:
            query = query.where(columns.source == source)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        if len(rows) > 1:
            raise ConfigurationError(
                f"several alerts begin with {prefix!r}, {rows[0]['alert_id']} and "
                f"{rows[1]['alert_id']} among them; give more digits"
            )
        return alert_of(rows[0]) if rows else None

    def alert_events(self, alert_id: str, source: str | None = None) -> list[AlertEvent]:
        """The changes of one alert, oldest first."""
        columns = ALERT_EVENTS.c
        query = (
            select(ALERT_EVENTS)
            .where(columns.alert_id == alert_id)
            .order_by(columns.at, columns.position)
        )
        if source is not None:
            query = query.where(columns.source == source)
        with self.database.read() as connection:
            return [event_of(row) for row in connection.execute(query).mappings()]

    def endings_by_people(self, source: str, system: str) -> list[tuple[str, datetime]]:
        """When somebody other than `system` ended an alert, with its id, oldest first."""
        columns = ALERT_EVENTS.c
        query = (
            select(columns.alert_id, columns.at)
            .where(
                columns.source == source,
                columns.who != system,
                columns.after.in_([state.value for state in AlertState if state.over]),
            )
            .order_by(columns.at, columns.alert_id)
        )
        with self.database.read() as connection:
            return [(alert_id, at) for alert_id, at in connection.execute(query)]

    def record_check(self, source: str, at: datetime) -> None:
        """Note that the rules looked at the source; a time before the last changes nothing."""
        with self.database.write() as connection:
            upsert(
                connection,
                ALERT_CHECKS,
                [{"source": source, "checked_at": at}],
                where=lambda new: new.checked_at > ALERT_CHECKS.c.checked_at,
            )

    def last_check(self, source: str) -> datetime | None:
        """When the rules last looked at the source."""
        query = select(ALERT_CHECKS.c.checked_at).where(ALERT_CHECKS.c.source == source)
        with self.database.read() as connection:
            return connection.execute(query).scalar()


def _refuse_changed(connection: Connection, source: str, before: Alert) -> None:
    columns = ALERTS.c
    query = (
        select(columns.state, columns.updated_at, columns.resolved_at, columns.muted_until)
        .where(columns.source == source, columns.alert_id == before.alert_id)
        .with_for_update()
    )
    stored = connection.execute(query).one_or_none()
    expected = (before.state.value, before.updated_at, before.resolved_at, before.muted_until)
    if stored is None or tuple(stored) != expected:
        raise AlertChangedError(f"alert {before.alert_id} was changed meanwhile; look at it again")

"""The ledger of hours: which were evaluated, and which are still owed."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.sql.functions import FunctionElement

from storage.connected import Connected
from storage.queries import in_hours
from storage.records import WindowRecord
from storage.rows import clock_hour
from storage.tables import WINDOWS
from storage.upsert import Proposed, upsert
from tailwatch.window import HOUR, Window

_COUNTS = ("listed", "scored", "failed", "late")


class WindowLedger(Connected):
    def finish_window(self, record: WindowRecord) -> None:
        """Note how a run left an hour; the same run noting it again counts as one attempt."""
        row = {
            "source": record.source,
            "hour": clock_hour(record.window).start,
            "status": record.status,
            **{name: getattr(record, name) for name in _COUNTS},
            "run_id": record.run_id,
            "evaluated_at": record.evaluated_at,
            "attempts": 1,
            "restated": 0,
            "restating": None,
            "done_at": record.evaluated_at if record.status == "done" else None,
        }
        with self.database.write() as connection:
            upsert(connection, WINDOWS, [row], counted=_counted)

    def begin_restating(self, source: str, window: Window, run_id: str) -> None:
        """Note that the run is about to change what the window's done hours are summarised from.

        They are owed until the run has written their summaries and says so: by `finish_window`, or
        by `end_restating`. An hour that another run left so stays that one's.
        """
        columns = WINDOWS.c
        marked = (
            update(WINDOWS)
            .where(in_hours(WINDOWS, source, window))
            .where(columns.status == "done", columns.restating.is_(None))
            .values(restating=run_id)
        )
        with self.database.write() as connection:
            connection.execute(marked)

    def end_restating(self, source: str, window: Window, run_id: str) -> None:
        """Note that the summaries are those of what the run changed; its hours are not owed."""
        ended = (
            update(WINDOWS)
            .where(in_hours(WINDOWS, source, window), WINDOWS.c.restating == run_id)
            .values(restating=None)
        )
        with self.database.write() as connection:
            connection.execute(ended)

    def windows(self, source: str, window: Window) -> list[WindowRecord]:
        """The accounts of the window's hours, oldest first."""
        query = select(WINDOWS).where(in_hours(WINDOWS, source, window)).order_by(WINDOWS.c.hour)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            WindowRecord(
                window=Window(row["hour"], row["hour"] + HOUR),
                **{name: row[name] for name in row if name not in ("hour", "done_at")},
            )
            for row in rows
        ]

    def owed_windows(self, source: str, window: Window) -> list[Window]:
        """The clock hours wholly inside the window that no run has done, newest first.

        Among them those that were done and whose restating broke off.
        """
        query = select(WINDOWS.c.hour).where(
            in_hours(WINDOWS, source, window),
            WINDOWS.c.status == "done",
            WINDOWS.c.restating.is_(None),
        )
        with self.database.read() as connection:
            done = set(connection.execute(query).scalars())
        inside = (
            hour for hour in window.hours() if window.start <= hour.start and hour.end <= window.end
        )
        return [hour for hour in inside if hour.start not in done][::-1]

    def first_window(self, source: str) -> Window | None:
        """The oldest hour that any run has finished or tried."""
        return self._window(source, func.min(WINDOWS.c.hour))

    def last_window(self, source: str) -> Window | None:
        """The newest hour that any run has finished or tried."""
        return self._window(source, func.max(WINDOWS.c.hour))

    def _window(self, source: str, which: FunctionElement[Any]) -> Window | None:
        with self.database.read() as connection:
            hour = connection.execute(select(which).where(WINDOWS.c.source == source)).scalar()
        return None if hour is None else Window.hour_of(hour)


def _counted(new: Proposed) -> dict[str, ColumnElement[Any]]:
    old = WINDOWS.c
    another_run = old.run_id != new.run_id
    changed = or_(*(old[name] != new[name] for name in _COUNTS))
    restates = and_(another_run, old.status == "done", new.status == "done", changed)
    return {
        "attempts": old.attempts + case((another_run, 1), else_=0),
        "restated": old.restated + case((restates, 1), else_=0),
        "done_at": func.coalesce(old.done_at, new.done_at),
    }

"""The ledger of hours: which were evaluated, and which are still owed."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
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
        }
        with self.database.write() as connection:
            upsert(connection, WINDOWS, [row], counted=_counted)

    def windows(self, source: str, window: Window) -> list[WindowRecord]:
        """The accounts of the window's hours, oldest first."""
        query = select(WINDOWS).where(in_hours(WINDOWS, source, window)).order_by(WINDOWS.c.hour)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            WindowRecord(
                window=Window(row["hour"], row["hour"] + HOUR),
                **{name: row[name] for name in row if name != "hour"},
            )
            for row in rows
        ]

    def owed_windows(self, source: str, window: Window) -> list[Window]:
        """The clock hours wholly inside the window that no run has done, newest first."""
        query = select(WINDOWS.c.hour).where(
            in_hours(WINDOWS, source, window), WINDOWS.c.status == "done"
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
    }

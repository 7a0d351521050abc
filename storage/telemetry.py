"""What a collector is still owed: hours that changed, and of each the scores it has not seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, null, select, tuple_, update

from storage.connected import Connected
from storage.queries import in_hours
from storage.records import OutcomeKind
from storage.rows import clock_hour, evaluation_of
from storage.tables import EVALUATIONS
from storage.telemetry_tables import TELEMETRY_HOURS
from storage.upsert import Proposed, upsert
from tailwatch.evaluation import Evaluation
from tailwatch.window import HOUR, Window

TelemetryPart = Literal["events", "metrics"]

Stamp = tuple[int, str]
"""How many evaluations a run has in an hour, and when the newest of them was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedHour:
    """An hour that changed since the collector was told of it, as of its change `change`.

    `told` has what was sent of each run. `place` is the last evaluation that was sent before a
    sending broke off: its run, series and id, and the run's stamp at that time.
    """

    window: Window
    change: int
    told: Mapping[str, Stamp] = field(default_factory=dict)
    place: Sequence[str] | None = None


class TelemetryHours(Connected):
    def owed_telemetry(
        self,
        source: str,
        part: TelemetryPart,
        *,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[OwedHour]:
        """The hours that changed since their events, or their metrics, were sent."""
        columns = TELEMETRY_HOURS.c
        query = (
            select(TELEMETRY_HOURS)
            .where(columns.source == source, columns[f"{part}_sent"] < columns.changes)
            .order_by(columns.hour.desc() if newest_first else columns.hour)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [
                OwedHour(
                    window=Window(row["hour"], row["hour"] + HOUR),
                    change=row["changes"],
                    told={run: (int(n), newest) for run, (n, newest) in row["told"].items()},
                    place=row["place"],
                )
                for row in connection.execute(query).mappings()
            ]

    def telemetry_stamps(
        self, source: str, hour: Window, kinds: Collection[OutcomeKind]
    ) -> dict[str, Stamp]:
        """The stamp of each run that has evaluations of those kinds in the hour, by its id."""
        columns = EVALUATIONS.c
        query = (
            select(columns.run_id, func.count(), func.max(columns.evaluated_at))
            .where(in_hours(EVALUATIONS, source, hour), columns.kind.in_(kinds))
            .group_by(columns.run_id)
            .order_by(columns.run_id)
        )
        with self.database.read() as connection:
            return {run: (n, newest.isoformat()) for run, n, newest in connection.execute(query)}

    def evaluations_of_run(
        self,
        source: str,
        hour: Window,
        run_id: str,
        kinds: Collection[OutcomeKind],
        after: Sequence[str] | None = None,
        limit: int = 4_000,
    ) -> list[Evaluation]:
        """The next evaluations that a run has in the hour, by series and id.

        `after` is the evaluator, version, judge and evaluation id of the last one before.
        """
        columns = EVALUATIONS.c
        key = (columns.evaluator, columns.version, columns.judge, columns.evaluation_id)
        query = (
            select(EVALUATIONS)
            .where(
                in_hours(EVALUATIONS, source, hour),
                columns.run_id == run_id,
                columns.kind.in_(kinds),
            )
            .order_by(*key)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(*key) > tuple(after))
        with self.database.read() as connection:
            return [evaluation_of(row) for row in connection.execute(query).mappings()]

    def note_events_sent(
        self,
        source: str,
        hour: Window,
        told: Mapping[str, Stamp],
        place: Sequence[str] | None = None,
        *,
        change: int | None = None,
    ) -> None:
        """Note how far the hour's events were sent; with `change`, that all are as of it."""
        values: dict[str, Any] = {
            "told": {run: list(stamp) for run, stamp in told.items()},
            "place": null() if place is None else list(place),
        }
        if change is not None:
            values["events_sent"] = change
        self._note(source, hour, values)

    def note_metrics_sent(self, source: str, hour: Window, change: int) -> None:
        """Note that the hour's metrics were sent as of that change."""
        self._note(source, hour, {"metrics_sent": change})

    def count_owed_telemetry(self, source: str) -> int:
        """How many hours have events or metrics that were not sent."""
        columns = TELEMETRY_HOURS.c
        unsent = (columns.events_sent < columns.changes) | (columns.metrics_sent < columns.changes)
        query = select(func.count()).where(columns.source == source, unsent)
        with self.database.read() as connection:
            return connection.execute(query).scalar_one()

    def _note(self, source: str, hour: Window, values: Mapping[str, Any]) -> None:
        columns = TELEMETRY_HOURS.c
        statement = (
            update(TELEMETRY_HOURS)
            .where(columns.source == source, columns.hour == clock_hour(hour).start)
            .values(**values)
        )
        with self.database.write() as connection:
            connection.execute(statement)


def owe_telemetry(connection: Connection, source: str, hours: Collection[datetime]) -> None:
    """Note that the hours changed, in the transaction that changes them."""
    first = {"changes": 1, "events_sent": 0, "metrics_sent": 0, "told": {}, "place": None}
    rows = [{"source": source, "hour": hour, **first} for hour in hours]
    upsert(connection, TELEMETRY_HOURS, rows, keep=set(first), counted=_one_more)


def _one_more(_: Proposed) -> dict[str, ColumnElement[Any]]:
    return {"changes": TELEMETRY_HOURS.c.changes + 1}

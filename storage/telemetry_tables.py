"""The table of what an OpenTelemetry collector was told."""

from datetime import datetime
from typing import Any

from sqlalchemy import Table

from storage.columns import Row, count, json, moment, text


class TelemetryHourRow(Row, table=True):
    """An hour that changed since the collector is told of hours, and how far it was told.

    `changes` counts the changes; the events and the metrics were sent as of the change that
    `events_sent` and `metrics_sent` name. `told` is what was sent of each run, `place` where an
    unfinished sending goes on.
    """

    __tablename__ = "telemetry_hours"

    source: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    changes: int = count()
    events_sent: int = count()
    metrics_sent: int = count()
    told: dict[str, list[Any]] = json()
    place: list[str] | None = json()


TELEMETRY_HOURS: Table = Row.metadata.tables["telemetry_hours"]

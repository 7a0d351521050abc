"""The tables of the alerts: incidents, their messages, the baselines and the tail counts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table
from sqlmodel import Field

from storage.columns import Row, amount, count, json, moment, text
from storage.types import Count


class AlertRow(Row, table=True):
    __tablename__ = "alerts"
    __table_args__ = (Index(None, "source", "state"),)

    source: str = text(primary_key=True)
    alert_id: str = text(primary_key=True)
    rule: str = text()
    evaluator: str = text()
    version: str = text()
    judge: str = text()
    segment_field: str = text()
    segment_value: str = text()
    state: str = text()
    opened_at: datetime = moment()
    onset: datetime = moment()
    updated_at: datetime = moment()
    resolved_at: datetime | None = moment()
    muted_until: datetime | None = moment()
    quiet_checks: int = count()
    sentence: str = text()
    numbers: dict[str, float | int | None] = json()
    monitors: list[dict[str, Any]] | None = json()


class AlertEventRow(Row, table=True):
    """One change of an alert; `position` orders the changes of one moment."""

    __tablename__ = "alert_events"
    __table_args__ = (Index(None, "source", "alert_id", "at"),)

    event_id: str = text(primary_key=True)
    source: str = text()
    alert_id: str = text()
    at: datetime = moment()
    position: int = count()
    before: str | None = text()
    after: str = text()
    who: str = text()
    why: str = text()


class AlertCheckRow(Row, table=True):
    """When the alert rules last looked at a source."""

    __tablename__ = "alert_checks"

    source: str = text(primary_key=True)
    checked_at: datetime = moment()


class OutboxRow(Row, table=True):
    """A message for one destination: pending, sent or given up.

    `number` orders the messages about one alert; `history` marks what was found in a look back.
    `claim` is whoever sends it just now, until `claimed_until`.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "source", "alert_id"),
        Index(None, "source", "state", "next_attempt_at"),
    )

    message_id: str = text(primary_key=True)
    source: str = text()
    alert_id: str = text()
    destination: str = text()
    number: int = count()
    change: str = text()
    severity: str = text()
    at: datetime = moment()
    history: bool
    title: str = text()
    body: str = text()
    fields: dict[str, str] = json()
    state: str = text()
    attempts: int = count()
    next_attempt_at: datetime = moment()
    last_error: str | None = text()
    delivered_at: datetime | None = moment()
    claim: str | None = text()
    claimed_until: datetime | None = moment()


class BaselineRow(Row, table=True):
    """What a series is compared with: learned from `start` to `end`, in force since `decided_at`.

    `status` is learning, pinned or superseded; `document` has the lines, NULL while learning.
    """

    __tablename__ = "baselines"
    __table_args__ = (Index(None, "source", "status"),)

    source: str = text(primary_key=True)
    baseline_id: str = text(primary_key=True)
    evaluator: str = text()
    version: str = text()
    judge: str = text()
    status: str = text()
    start: datetime = moment()
    end: datetime | None = moment()
    decided_at: datetime = moment()
    who: str = text()
    why: str = text()
    document: dict[str, Any] | None = json()


class TailCountRow(Row, table=True):
    """How many outputs (`bad` of `n`) of a cell and hour were beyond the line of a level.

    A cell is a segment; without a field it is what is in no cell of the baseline's own.
    """

    __tablename__ = "tail_counts"

    source: str = text(primary_key=True)
    baseline_id: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    segment_field: str = text(primary_key=True)
    segment_value: str = text(primary_key=True)
    level: int = Field(sa_type=Count, primary_key=True)
    segment_value_full: str | None = text()
    bad: float = amount()
    n: float = amount()


class TailHourRow(Row, table=True):
    """Which statement of an hour its tail counts were counted from (`stamp`).

    `newcomers` are the segments in it, as [field, value], that the baseline does not have.
    """

    __tablename__ = "tail_hours"

    source: str = text(primary_key=True)
    baseline_id: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    stamp: str = text()
    newcomers: list[list[str]] | None = json()


class TailStateRow(Row, table=True):
    """The evidence after an hour, kept so that the hours before need not be added up again.

    It can be deleted at any time. `key` says of which monitors it is.
    """

    __tablename__ = "tail_states"

    source: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    key: str = text()
    state: dict[str, Any] = json()


_TABLES = Row.metadata.tables
ALERTS: Table = _TABLES["alerts"]
ALERT_EVENTS: Table = _TABLES["alert_events"]
ALERT_CHECKS: Table = _TABLES["alert_checks"]
OUTBOX: Table = _TABLES["outbox"]
BASELINES: Table = _TABLES["baselines"]
TAIL_COUNTS: Table = _TABLES["tail_counts"]
TAIL_HOURS: Table = _TABLES["tail_hours"]
TAIL_STATES: Table = _TABLES["tail_states"]

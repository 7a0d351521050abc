"""The tables. Times are UTC, money is USD, durations are milliseconds; NULL is "not known".

`hour` is the start of the clock hour that a row belongs to. A text that stands in an index is there
in full up to 200 characters; a longer one is whole in the column `..._full` beside it.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, MetaData, Table
from sqlmodel import Field, SQLModel

from storage.types import Amount, Count, SafeJson, SafeText, UTCDateTime


class Row(SQLModel):
    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def text(**options: Any) -> Any:
    return Field(sa_type=SafeText, **options)


def moment(**options: Any) -> Any:
    return Field(sa_type=UTCDateTime, **options)


def amount() -> Any:
    return Field(sa_type=Amount)


def count() -> Any:
    return Field(sa_type=Count)


def json() -> Any:
    return Field(sa_type=SafeJson)


class TraceRow(Row, table=True):
    """A listed trace; its texts only once it was fetched, as far as `keep_text` allows."""

    __tablename__ = "traces"
    __table_args__ = (Index(None, "source", "hour"),)

    source: str = text(primary_key=True)
    trace_id: str = text(primary_key=True)
    trace_id_full: str | None = text()
    hour: datetime = moment()
    start_time: datetime = moment()
    first_seen_at: datetime = moment()
    status: str = text()
    error_type: str | None = text()
    complete: bool
    name: str | None = text()
    conversation_id: str | None = text()
    feature: str | None = text()
    environment: str | None = text()
    release: str | None = text()
    tags: list[str] | None = json()
    model: str | None = text()
    provider: str | None = text()
    prompt_name: str | None = text()
    prompt_version: str | None = text()
    latency_ms: float | None = amount()
    ttft_ms: float | None = amount()
    cost_usd: float | None = amount()
    input_tokens: int | None = count()
    output_tokens: int | None = count()
    thumb: float | None = amount()
    retried: bool
    semantic_hash: str | None = text()
    url: str | None = text()
    text_kept: str | None = text()
    input: str | None = text()
    output: str | None = text()
    reference: str | None = text()
    documents: list[dict[str, Any]] | None = json()


class EvaluationRow(Row, table=True):
    """One outcome: a score (`value`), a skip (`reason`) or a failure (`reason`, `message`)."""

    __tablename__ = "evaluations"
    __table_args__ = (
        Index(None, "source", "hour", "evaluator", "version", "judge"),
        Index(None, "source", "trace_id"),
    )

    evaluation_id: str = text(primary_key=True)
    source: str = text()
    trace_id: str = text()
    trace_id_full: str | None = text()
    span_id: str | None = text()
    evaluator: str = text()
    version: str = text()
    judge: str = text()
    hour: datetime = moment()
    kind: str = text()
    value: float | None = amount()
    label: str | None = text()
    explanation: str | None = text()
    details: dict[str, Any] | None = json()
    reason: str | None = text()
    message: str | None = text()
    retryable: bool
    inclusion_probability: float | None = amount()
    cost_usd: float | None = amount()
    input_tokens: int | None = count()
    output_tokens: int | None = count()
    latency_ms: float | None = amount()
    run_id: str = text()
    evaluated_at: datetime = moment()


class UsualLengthRow(Row, table=True):
    """The output tokens of which none is odd, as learned for one day; NULL: none is."""

    __tablename__ = "usual_lengths"

    source: str = text(primary_key=True)
    day: datetime = moment(primary_key=True)
    low: int | None = count()
    high: int | None = count()


class FlaggedShareRow(Row, table=True):
    """The share of a series' sample for flagged traces on one day; NULL: as in the traffic."""

    __tablename__ = "flagged_shares"

    source: str = text(primary_key=True)
    day: datetime = moment(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    share: float | None = amount()


class CoverageRow(Row, table=True):
    """What became of the traces of one hour under one evaluator."""

    __tablename__ = "coverage"

    source: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    listed: int = count()
    eligible: int = count()
    sampled: int = count()
    scored: int = count()
    skipped: dict[str, int] = json()
    failed: dict[str, int] = json()
    unreadable: int = count()
    late: int = count()


class SummaryRow(Row, table=True):
    """The distribution of one series in one segment and hour.

    `quantiles` is a list of [probability, value, low, high]; `tail` is the bad end of it again.
    """

    __tablename__ = "summaries"
    __table_args__ = (Index(None, "source", "hour"),)

    source: str = text(primary_key=True)
    evaluator: str = text(primary_key=True)
    version: str = text(primary_key=True)
    judge: str = text(primary_key=True)
    segment_field: str = text(primary_key=True)
    segment_value: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    segment_value_full: str | None = text()
    direction: str = text()
    n: int = count()
    skipped: int = count()
    failed: int = count()
    mean: float | None = amount()
    tail: float | None = amount()
    tail_low: float | None = amount()
    tail_high: float | None = amount()
    quantiles: list[list[float | None]] = json()
    restated: bool
    recorded_at: datetime = moment()


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


class WindowRow(Row, table=True):
    """The ledger: which hours were evaluated, how often tried and how often changed since."""

    __tablename__ = "windows"

    source: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    status: str = text()
    listed: int = count()
    scored: int = count()
    failed: int = count()
    late: int = count()
    run_id: str = text()
    evaluated_at: datetime = moment()
    attempts: int = count()
    restated: int = count()


class RunRow(Row, table=True):
    __tablename__ = "runs"
    __table_args__ = (Index(None, "started_at"),)

    run_id: str = text(primary_key=True)
    kind: str = text()
    started_at: datetime = moment()
    detail: str | None = text()
    ended_at: datetime | None = moment()
    status: str = text()
    error: str | None = text()
    counts: dict[str, int] | None = json()
    cost_usd: float | None = amount()


class FetchErrorRow(Row, table=True):
    """A trace or line that could not be read, once for each place."""

    __tablename__ = "fetch_errors"
    __table_args__ = (Index(None, "source", "at"),)

    error_id: str = text(primary_key=True)
    source: str = text()
    location: str = text()
    message: str = text()
    trace_id: str | None = text()
    run_id: str = text()
    at: datetime = moment()


_TABLES = Row.metadata.tables
TRACES: Table = _TABLES["traces"]
EVALUATIONS: Table = _TABLES["evaluations"]
COVERAGE: Table = _TABLES["coverage"]
SUMMARIES: Table = _TABLES["summaries"]
ALERTS: Table = _TABLES["alerts"]
ALERT_EVENTS: Table = _TABLES["alert_events"]
USUAL_LENGTHS: Table = _TABLES["usual_lengths"]
FLAGGED_SHARES: Table = _TABLES["flagged_shares"]
ALERT_CHECKS: Table = _TABLES["alert_checks"]
OUTBOX: Table = _TABLES["outbox"]
BASELINES: Table = _TABLES["baselines"]
TAIL_COUNTS: Table = _TABLES["tail_counts"]
TAIL_HOURS: Table = _TABLES["tail_hours"]
TAIL_STATES: Table = _TABLES["tail_states"]
WINDOWS: Table = _TABLES["windows"]
RUNS: Table = _TABLES["runs"]
FETCH_ERRORS: Table = _TABLES["fetch_errors"]

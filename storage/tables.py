"""The tables of what was evaluated: traces, outcomes, summaries, windows and runs.

Times are UTC, money is USD, durations are milliseconds; NULL is "not known". `hour` is the start of
the clock hour that a row belongs to. A text that stands in an index is there in full up to 200
characters; a longer one is whole in the column `..._full` beside it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, json, moment, text


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
    restating: str | None = text()
    done_at: datetime | None = moment()


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
USUAL_LENGTHS: Table = _TABLES["usual_lengths"]
FLAGGED_SHARES: Table = _TABLES["flagged_shares"]
WINDOWS: Table = _TABLES["windows"]
RUNS: Table = _TABLES["runs"]
FETCH_ERRORS: Table = _TABLES["fetch_errors"]

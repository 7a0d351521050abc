"""Tables of the batch backfills: the jobs, their batches at the provider, and the questions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, json, moment, text


class BatchJobRow(Row, table=True):
    """A backfill in batches. `holder` is the process that works on it, until `held_until`."""

    __tablename__ = "batch_jobs"
    __table_args__ = (Index(None, "state"),)

    job_id: str = text(primary_key=True)
    source: str = text()
    start: datetime = moment()
    end: datetime = moment()
    series: list[list[str]] = json()
    partial: bool
    only: str = text()
    state: str = text()
    started_at: datetime = moment()
    ended_at: datetime | None = moment()
    note: str | None = text()
    holder: str | None = text()
    held_until: datetime | None = moment()


class BatchRow(Row, table=True):
    """One batch: ours from `created_at` on, the provider's once it has a `provider_id`."""

    __tablename__ = "batches"
    __table_args__ = (Index(None, "job_id"), Index(None, "state"))

    batch_key: str = text(primary_key=True)
    job_id: str = text()
    number: int = count()
    endpoint: str = text()
    state: str = text()
    created_at: datetime = moment()
    lines: int = count()
    price_share: float = amount()
    worst_case_usd: float = amount()
    file_id: str | None = text()
    provider_id: str | None = text()
    output_file_id: str | None = text()
    error_file_id: str | None = text()
    provider_status: str | None = text()
    completed: int | None = count()
    failed: int | None = count()
    submitted_at: datetime | None = moment()
    expires_at: datetime | None = moment()
    looked_at: datetime | None = moment()
    settled_at: datetime | None = moment()
    cost_usd: float | None = amount()
    files_deleted: bool
    note: str | None = text()


class BatchLineRow(Row, table=True):
    """One question of a batch, without its texts. `state` is `asked`, `answered` or `failed`."""

    __tablename__ = "batch_lines"
    __table_args__ = (Index(None, "batch_key"), Index(None, "question_key"))

    call_id: str = text(primary_key=True)
    batch_key: str = text()
    question_key: str = text()
    form: dict[str, Any] = json()
    worst_case_usd: float = amount()
    state: str = text()
    cost_usd: float | None = amount()
    input_tokens: int | None = count()
    output_tokens: int | None = count()
    error_type: str | None = text()
    message: str | None = text()
    retryable: bool


_TABLES = Row.metadata.tables
BATCH_JOBS: Table = _TABLES["batch_jobs"]
BATCHES: Table = _TABLES["batches"]
BATCH_LINES: Table = _TABLES["batch_lines"]

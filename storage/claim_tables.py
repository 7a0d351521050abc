"""Tables of backfills that many workers share: the jobs, and their hours as units of work."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table

from storage.columns import Row, amount, count, json, moment, text


class BackfillJobRow(Row, table=True):
    """One backfill over a range of hours. `what` says what it evaluates, `digest` stands for that.

    The jobs of one digest are numbered; only the last of them may be under way. `state` is
    `running`, `stopped` (nothing more is claimed), `done`, or `failed` (over, but for some hours).
    """

    __tablename__ = "backfill_jobs"
    __table_args__ = (Index(None, "source", "digest", "number"),)

    job_id: str = text(primary_key=True)
    source: str = text()
    digest: str = text()
    number: int = count()
    what: dict[str, Any] = json()
    days_in_order: bool
    budget_usd: float | None = amount()
    state: str = text()
    started_at: datetime = moment()
    ended_at: datetime | None = moment()


class BackfillUnitRow(Row, table=True):
    """One hour of a job: `open`, `claimed`, `done`, or `failed` (given up after some attempts).

    `fence` rises with each claim, so that of two that think it is theirs only the later one is
    right. `until` is by the database's clock: the end of the lease of a claimed unit, and the
    earliest next attempt of an open one. The columns after `ended_at` are what came of it.
    """

    __tablename__ = "backfill_units"
    __table_args__ = (Index(None, "job_id", "state", "hour"),)

    job_id: str = text(primary_key=True)
    hour: datetime = moment(primary_key=True)
    state: str = text()
    holder: str | None = text()
    fence: int = count()
    until: datetime | None = moment()
    attempts: int = count()
    error: str | None = text()
    ended_at: datetime | None = moment()
    changed: bool | None
    listed: int | None = count()
    scored: int | None = count()
    skipped: int | None = count()
    failed: int | None = count()
    unreadable: int | None = count()
    late: int | None = count()
    in_batch: int | None = count()


_TABLES = Row.metadata.tables
BACKFILL_JOBS: Table = _TABLES["backfill_jobs"]
BACKFILL_UNITS: Table = _TABLES["backfill_units"]

"""Batch backfills: jobs with one worker at a time, their batches, the state of each question."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, delete, or_, select, update

from storage.batch_records import Batch, BatchJob, BatchLine, JobState, Lines
from storage.batch_rows import batch_of, batch_row, job_of, job_row, line_of, line_row
from storage.batch_tables import BATCH_JOBS, BATCH_LINES, BATCHES
from storage.connected import Connected
from storage.upsert import upsert

_UNSETTLED = ("open", "submitted")
_AT_ONCE = 500
"""How many keys one query asks for: SQLite takes a limited number of parameters."""


class BatchRecords(Connected):
    def start_batch_job(self, job: BatchJob) -> None:
        """Note a backfill before anything of it is asked."""
        with self.database.write() as connection:
            upsert(connection, BATCH_JOBS, [job_row(job)])

    def batch_jobs(
        self, source: str, *, open_only: bool = False, limit: int | None = None
    ) -> list[BatchJob]:
        """The source's backfills in batches, newest first."""
        columns = BATCH_JOBS.c
        query = select(BATCH_JOBS).where(columns.source == source)
        if open_only:
            query = query.where(columns.state.in_(("waiting", "cancelling")))
        query = query.order_by(columns.started_at.desc(), columns.job_id).limit(limit)
        with self.database.read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings()]

    def hold_batch_job(self, job_id: str, holder: str, until: datetime, now: datetime) -> bool:
        """Whether `holder` may work on the job until then: nobody else does. Renews it too."""
        columns = BATCH_JOBS.c
        free = or_(columns.holder.is_(None), columns.holder == holder, columns.held_until <= now)
        take = (
            update(BATCH_JOBS)
            .where(columns.job_id == job_id, free)
            .values(holder=holder, held_until=until)
        )
        with self.database.write() as connection:
            return connection.execute(take).rowcount == 1

    def release_batch_job(self, job_id: str, holder: str) -> None:
        """Let somebody else work on the job; nothing if another does already."""
        columns = BATCH_JOBS.c
        release = (
            update(BATCH_JOBS)
            .where(columns.job_id == job_id, columns.holder == holder)
            .values(holder=None, held_until=None)
        )
        with self.database.write() as connection:
            connection.execute(release)

    def set_batch_job(
        self, job_id: str, state: JobState, *, ended_at: datetime | None, note: str | None
    ) -> None:
        """Note how far the job is. When it has ended, the questions of its batches are forgotten:
        their verdicts are in the books, and their evaluations recorded.
        """
        change = (
            update(BATCH_JOBS)
            .where(BATCH_JOBS.c.job_id == job_id)
            .values(state=state, ended_at=ended_at, note=note)
        )
        settled = select(BATCHES.c.batch_key).where(
            BATCHES.c.job_id == job_id, BATCHES.c.state.not_in(_UNSETTLED)
        )
        with self.database.write() as connection:
            connection.execute(change)
            if ended_at is not None:
                connection.execute(delete(BATCH_LINES).where(BATCH_LINES.c.batch_key.in_(settled)))

    def record_batch(self, batch: Batch) -> None:
        """Write a batch as it is now; its questions are written apart."""
        with self.database.write() as connection:
            upsert(connection, BATCHES, [batch_row(batch)])

    def batches(self, job_id: str) -> list[Batch]:
        """The job's batches in the order they were made."""
        query = select(BATCHES).where(BATCHES.c.job_id == job_id).order_by(BATCHES.c.number)
        with self.database.read() as connection:
            return [batch_of(row) for row in connection.execute(query).mappings()]

    def add_batch_lines(self, batch_key: str, lines: Lines) -> None:
        """Put questions into a batch, before money is set aside for them."""
        with self.database.write() as connection:
            upsert(connection, BATCH_LINES, [line_row(batch_key, line) for line in lines])

    def drop_batch_lines(self, call_ids: Collection[str]) -> None:
        """Take questions out of their batch again: no money was set aside for them."""
        with self.database.write() as connection:
            for some in _parts(call_ids):
                connection.execute(delete(BATCH_LINES).where(BATCH_LINES.c.call_id.in_(some)))

    def batch_lines(self, batch_key: str) -> list[BatchLine]:
        """The questions of a batch."""
        query = (
            select(BATCH_LINES)
            .where(BATCH_LINES.c.batch_key == batch_key)
            .order_by(BATCH_LINES.c.call_id)
        )
        with self.database.read() as connection:
            return [line_of(row) for row in connection.execute(query).mappings()]

    def settle_batch(self, batch: Batch, lines: Lines) -> None:
        """Note, in one transaction, what became of the batch and of each of its questions."""
        with self.database.write() as connection:
            upsert(connection, BATCH_LINES, [line_row(batch.batch_key, line) for line in lines])
            upsert(connection, BATCHES, [batch_row(batch)])

    def abandon_batch(self, batch: Batch) -> None:
        """Note that the provider never got the batch, and forget its questions: they may be asked
        again.
        """
        with self.database.write() as connection:
            connection.execute(
                delete(BATCH_LINES).where(BATCH_LINES.c.batch_key == batch.batch_key)
            )
            upsert(connection, BATCHES, [batch_row(batch)])

    def any_batch_open(self) -> bool:
        """Whether any question is in a batch that is not settled."""
        query = select(BATCHES.c.batch_key).where(BATCHES.c.state.in_(_UNSETTLED)).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

    def asked_in_batches(self, question_keys: Collection[str]) -> set[str]:
        """Those of the questions that are in a batch which is not settled, of any job."""
        query = (
            select(BATCH_LINES.c.question_key)
            .join(BATCHES, BATCHES.c.batch_key == BATCH_LINES.c.batch_key)
            .where(BATCHES.c.state.in_(_UNSETTLED))
        )
        return {row["question_key"] for row in self._for_keys(query, question_keys)}

    def answered_in_job(self, job_id: str, question_keys: Collection[str]) -> dict[str, BatchLine]:
        """What the job's settled batches brought for these questions, by question key."""
        query = (
            select(BATCH_LINES)
            .join(BATCHES, BATCHES.c.batch_key == BATCH_LINES.c.batch_key)
            .where(BATCHES.c.job_id == job_id, BATCHES.c.state == "settled")
        )
        return {row["question_key"]: line_of(row) for row in self._for_keys(query, question_keys)}

    def _for_keys(self, query: Select[Any], keys: Collection[str]) -> Iterator[RowMapping]:
        with self.database.read() as connection:
            for some in _parts(keys):
                asked = query.where(BATCH_LINES.c.question_key.in_(some))
                yield from connection.execute(asked).mappings().all()


def _parts(keys: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(set(keys))
    return (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))

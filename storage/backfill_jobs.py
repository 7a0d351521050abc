"""Backfills that many workers share: begun, gone on with, stopped, and how far they are."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, RowMapping, Select, func, select, update

from storage.bulk import insert_many
from storage.claim_records import (
    UNIT_COUNTS,
    BackfillJob,
    BackfillOrder,
    BackfillState,
    JobProgress,
    TroubledUnit,
    UnitCounts,
    UnitState,
)
from storage.claim_tables import BACKFILL_JOBS, BACKFILL_UNITS
from storage.connected import Connected
from storage.judge_tables import JUDGE_ACCOUNTS
from tailwatch.caps import dollars
from tailwatch.window import HOUR, Window

_SHOWN_TROUBLES = 100
_jobs, _units = BACKFILL_JOBS.c, BACKFILL_UNITS.c


class BackfillJobs(Connected):
    def open_backfill(self, order: BackfillOrder, now: datetime) -> BackfillJob:
        """The job of that order: the one that is not done, or a new one.

        One that was stopped runs again, and its hours that were given up are tried again.
        """
        digest = _digest(order)
        with self.database.write() as connection:
            last = connection.execute(_last_job(order.source, digest)).mappings().first()
            if last is None or last["state"] == "done":
                job_id = _begin(
                    connection, order, digest, 1 if last is None else last["number"] + 1, now
                )
            else:
                job_id = last["job_id"]
                _resume(connection, job_id, order)
        found = self.backfill_job(job_id)
        if found is None:
            raise LookupError(job_id)
        return found

    def backfill_job(self, job_id: str) -> BackfillJob | None:
        """The job with that id."""
        query = select(BACKFILL_JOBS).where(_jobs.job_id == job_id)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _job_of(row)

    def backfill_jobs(self, source: str, limit: int = 20) -> list[BackfillJob]:
        """The source's newest jobs, newest first."""
        query = select(BACKFILL_JOBS).where(_jobs.source == source)
        query = query.order_by(_jobs.started_at.desc(), _jobs.job_id).limit(limit)
        with self.database.read() as connection:
            return [_job_of(row) for row in connection.execute(query).mappings()]

    def set_backfill(self, job_id: str, state: BackfillState, now: datetime | None = None) -> None:
        """Stop a job, or end it (`now`): then nothing more of it is claimed."""
        change = update(BACKFILL_JOBS).where(_jobs.job_id == job_id, _jobs.state != "done")
        with self.database.write() as connection:
            connection.execute(change.values(state=state, ended_at=now))

    def backfill_progress(self, job_id: str) -> JobProgress:
        """How far the job is, by its ledger."""
        sums = [func.coalesce(func.sum(_units[name]), 0) for name in UNIT_COUNTS]
        by_state = select(_units.state, func.count(), *sums).where(_units.job_id == job_id)
        changed = select(func.count()).where(_units.job_id == job_id, _units.changed.is_(True))
        troubles = (
            select(_units.hour, _units.state, _units.attempts, _units.error)
            .where(_units.job_id == job_id, _units.error.is_not(None))
            .order_by(_units.hour)
            .limit(_SHOWN_TROUBLES)
        )
        paid = select(JUDGE_ACCOUNTS.c.taken).where(
            JUDGE_ACCOUNTS.c.scope == "run", JUDGE_ACCOUNTS.c.name == job_id
        )
        holders = select(_units.holder).where(_units.job_id == job_id, _units.state == "claimed")
        hours: dict[UnitState, int] = {}
        counts: Counter[str] = Counter()
        with self.database.read() as connection:
            for state, number, *sums_of_state in connection.execute(
                by_state.group_by(_units.state)
            ):
                hours[state] = number
                counts.update(dict(zip(UNIT_COUNTS, map(int, sums_of_state), strict=True)))
            return JobProgress(
                hours=hours,
                counts=UnitCounts(changed=connection.execute(changed).scalar_one(), **counts),
                cost_usd=dollars(connection.execute(paid).scalar() or 0),
                holders=sorted(filter(None, connection.execute(holders.distinct()).scalars())),
                troubles=[_trouble(row) for row in connection.execute(troubles)],
            )


def _digest(order: BackfillOrder) -> str:
    window = (order.window.start.isoformat(), order.window.end.isoformat())
    text = json.dumps([order.source, window, order.what], sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _last_job(source: str, digest: str) -> Select[Any]:
    query = select(BACKFILL_JOBS).where(_jobs.source == source, _jobs.digest == digest)
    return query.order_by(_jobs.number.desc()).limit(1)


def _begin(
    connection: Connection, order: BackfillOrder, digest: str, number: int, now: datetime
) -> str:
    """Its id follows from the order, so two that begin it at once begin the same one."""
    job_id = f"{digest}-{number}"
    job = {
        "job_id": job_id,
        "source": order.source,
        "digest": digest,
        "number": number,
        "what": {
            **order.what,
            "start": order.window.start.isoformat(),
            "end": order.window.end.isoformat(),
        },
        "days_in_order": order.days_in_order,
        "budget_usd": order.budget_usd,
        "state": "running",
        "started_at": now,
        "ended_at": None,
    }
    unit = {"job_id": job_id, "state": "open", "fence": 0, "attempts": 0}
    units = [{**unit, "hour": hour.start} for hour in order.window.hours()]
    insert_many(connection, BACKFILL_JOBS, [job], lambda i: i.on_conflict_do_nothing())
    insert_many(connection, BACKFILL_UNITS, units, lambda i: i.on_conflict_do_nothing())
    return job_id


def _resume(connection: Connection, job_id: str, order: BackfillOrder) -> None:
    change = update(BACKFILL_JOBS).where(_jobs.job_id == job_id)
    connection.execute(change.values(state="running", ended_at=None, budget_usd=order.budget_usd))
    connection.execute(
        update(BACKFILL_UNITS)
        .where(_units.job_id == job_id, _units.state == "failed")
        .values(state="open", attempts=0, until=None, error=None, ended_at=None)
    )


def _job_of(row: RowMapping) -> BackfillJob:
    what = cast("Mapping[str, Any]", row["what"])
    window = Window(datetime.fromisoformat(what["start"]), datetime.fromisoformat(what["end"]))
    return BackfillJob(
        job_id=row["job_id"],
        order=BackfillOrder(
            source=row["source"],
            window=window,
            what={name: value for name, value in what.items() if name not in ("start", "end")},
            days_in_order=row["days_in_order"],
            budget_usd=row["budget_usd"],
        ),
        state=row["state"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def _trouble(row: Row[Any]) -> TroubledUnit:
    return TroubledUnit(
        window=Window(row.hour, row.hour + HOUR),
        state=row.state,
        attempts=row.attempts,
        error=row.error,
    )

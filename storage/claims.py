"""The ledger of shared backfills: each hour is claimed by one worker at a time.

A claim is a lease by the database's clock. Whoever lets it end loses the hour to the next one, and
every write under a claim proves that it is still the newest (`Store.under`).
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, text, update

from storage.claim_records import UNIT_COUNTS, Claim, UnitCounts
from storage.claim_tables import BACKFILL_JOBS, BACKFILL_UNITS
from storage.connected import Connected
from storage.database import STANDSTILL_S
from storage.fence import database_clock, lost
from storage.sampling_days import day_of
from storage.sessions import sessions_of
from tailwatch.errors import StoreError
from tailwatch.window import HOUR, Window

MOST_ATTEMPTS = 3
"""How often an hour is tried, by whomever, before it is given up."""

_VANISHED = f"{MOST_ATTEMPTS} workers in a row vanished while they worked on it"
_END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND application_name = ANY(:names) AND wait_event_type = 'Client' "
    "AND xact_start < clock_timestamp() - make_interval(secs => :longest)"
)
_jobs, _units = BACKFILL_JOBS.c, BACKFILL_UNITS.c


class Claims(Connected):
    def claim_unit(self, job_id: str, holder: str, lease: timedelta) -> Claim | None:
        """The oldest hour that nobody works on, claimed; None when there is none now.

        An hour that was claimed so often in vain is given up. A job that is not running has none.
        """
        with self.database.write() as connection:
            running = select(_jobs.days_in_order).where(
                _jobs.job_id == job_id, _jobs.state == "running"
            )
            in_order = connection.execute(running).scalar()
            if in_order is None:
                return None
            now = database_clock(connection)
            query = _free_units(job_id, now)
            if in_order:
                first = select(func.min(_units.hour)).where(_unfinished(job_id))
                oldest = connection.execute(first).scalar()
                if oldest is not None:
                    query = query.where(_units.hour < day_of(oldest) + timedelta(days=1))
            while (row := connection.execute(query).first()) is not None:
                if row.attempts < MOST_ATTEMPTS:
                    return _take(connection, row, holder, now + lease)
                connection.execute(
                    _of_unit(job_id, row.hour).values(
                        state="failed", error=row.error or _VANISHED, ended_at=now, holder=None
                    )
                )
        return None

    def renew_claim(self, claim: Claim, lease: timedelta) -> bool:
        """Whether the claim holds; then it does for another `lease`."""
        with self.database.write() as connection:
            until = database_clock(connection) + lease
            return connection.execute(_of_claim(claim).values(until=until)).rowcount == 1

    def finish_unit(self, claim: Claim, counts: UnitCounts) -> None:
        """Note that the hour is done. Raises ClaimLostError when the claim holds no more."""
        values = {name: getattr(counts, name) for name in UNIT_COUNTS}
        with self.database.write() as connection:
            done = _of_claim(claim).values(
                state="done",
                until=None,
                error=None,
                changed=bool(counts.changed),
                ended_at=database_clock(connection),
                **values,
            )
            if connection.execute(done).rowcount != 1:
                raise lost(claim)

    def give_back(
        self, claim: Claim, error: str | None = None, *, pause: timedelta | None = None
    ) -> None:
        """Let others have the hour; nothing where the claim holds no more.

        Without an error the attempt does not count. With one, the next is made after `pause`, or
        none any more where that is None or there were enough.
        """
        over = error is not None and (pause is None or claim.attempt >= MOST_ATTEMPTS)
        with self.database.write() as connection:
            now = database_clock(connection)
            values: dict[str, Any] = {"state": "failed" if over else "open", "holder": None}
            if error is None:
                values |= {"attempts": claim.attempt - 1, "until": None}
            else:
                values |= {"error": error, "until": None if over or pause is None else now + pause}
            if over:
                values["ended_at"] = now
            connection.execute(_of_claim(claim).values(**values))

    def drop_claims(self, job_id: str, holders: Collection[str]) -> int:
        """End the leases of workers that are known to be gone; says how many there were."""
        with self.database.write() as connection:
            ended = (
                update(BACKFILL_UNITS)
                .where(_units.job_id == job_id, _units.state == "claimed")
                .where(_units.holder.in_(holders))
                .values(until=database_clock(connection))
            )
            return connection.execute(ended).rowcount

    def end_late_sessions(self, job_id: str) -> int:
        """End the transactions of workers whose lease has ended and that have stood for long; says
        how many there were.

        Whoever stands still between the parts of a statement counts as busy: no timeout of the
        database ends it, and it would hold for hours what others wait for. Where the store's role
        may not end sessions, none is ended, and the others do what is not held meanwhile. SQLite
        frees what a process held when it goes.
        """
        if self.database.url.drivername == "sqlite":
            return 0
        with suppress(StoreError), self.database.read() as connection:
            late = select(_units.holder).where(
                _units.job_id == job_id,
                _units.state == "claimed",
                _units.until <= database_clock(connection),
            )
            holders = connection.execute(late.distinct()).scalars().all()
            names = sorted({sessions_of(holder) for holder in holders if holder} - {""})
            if names:
                ended = connection.execute(_END_SESSIONS, {"names": names, "longest": STANDSTILL_S})
                return sum(ended.scalars())
        return 0

    def database_time(self) -> datetime:
        """The present by the database's clock."""
        with self.database.read() as connection:
            return database_clock(connection)


def _unfinished(job_id: str) -> ColumnElement[bool]:
    return and_(_units.job_id == job_id, _units.state.in_(("open", "claimed")))


def _free_units(job_id: str, now: datetime) -> Select[Any]:
    """What is being written right now is locked, and passed over as if its lease had not ended."""
    return (
        select(BACKFILL_UNITS)
        .where(_unfinished(job_id), or_(_units.until.is_(None), _units.until <= now))
        .order_by(_units.hour)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _take(connection: Connection, row: Row[Any], holder: str, until: datetime) -> Claim:
    claim = Claim(
        job_id=row.job_id,
        window=Window(row.hour, row.hour + HOUR),
        holder=holder,
        fence=row.fence + 1,
        attempt=row.attempts + 1,
    )
    connection.execute(
        _of_unit(row.job_id, row.hour).values(
            state="claimed",
            holder=holder,
            fence=claim.fence,
            attempts=claim.attempt,
            until=until,
        )
    )
    return claim


def _of_unit(job_id: str, hour: datetime) -> Any:
    return update(BACKFILL_UNITS).where(_units.job_id == job_id, _units.hour == hour)


def _of_claim(claim: Claim) -> Any:
    return _of_unit(claim.job_id, claim.window.start).where(
        _units.fence == claim.fence, _units.state == "claimed"
    )

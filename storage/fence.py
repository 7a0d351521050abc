"""The fence around a claim: whoever writes under it proves, in that transaction, to hold it."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from storage.claim_records import Claim
from storage.claim_tables import BACKFILL_UNITS
from tailwatch.errors import ClaimLostError

_units = BACKFILL_UNITS.c


def database_clock(connection: Connection) -> datetime:
    """The present by the database's clock, which is the same for every worker."""
    if connection.dialect.name == "postgresql":
        present = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return present if isinstance(present, datetime) else datetime.fromisoformat(str(present))
    said = connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").scalar_one()
    return datetime.fromisoformat(said)


def fence(claim: Claim) -> Callable[[Connection], None]:
    """Raises ClaimLostError in a transaction that begins after another worker took the unit.

    On PostgreSQL it locks the unit until the transaction ends, so nobody takes it meanwhile, and
    whoever stands still in one has it ended (`STANDSTILL_S`, `Claims.end_late_sessions`); in SQLite
    there is one writer at a time.
    """
    query = (
        select(_units.fence)
        .where(_units.job_id == claim.job_id, _units.hour == claim.window.start)
        .where(_units.fence == claim.fence, _units.state == "claimed")
    )
    locking = query.with_for_update(read=True)

    def check(connection: Connection) -> None:
        ours = connection.execute(query if connection.dialect.name == "sqlite" else locking)
        if ours.first() is None:
            raise lost(claim)

    return check


def lost(claim: Claim) -> ClaimLostError:
    """The error of a worker that is too late."""
    return ClaimLostError(
        f"another worker took over {claim.window} of the backfill {claim.job_id}; "
        "nothing more of it is written here"
    )

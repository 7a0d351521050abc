"""The results store: the one door to it for everyone outside this room."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, column, func, select
from sqlalchemy import table as column_table

from storage import schema
from storage.alerts import AlertRecords
from storage.backfill_jobs import BackfillJobs
from storage.baselines import BaselineRecords
from storage.batches import BatchRecords
from storage.canaries import CanaryRecords
from storage.claim_records import Claim
from storage.claims import Claims
from storage.columns import Row
from storage.database import Database, store_url
from storage.evaluations import EvaluationRecords
from storage.exports import Exports
from storage.fence import fence
from storage.first_scores import FirstScores
from storage.judge_calls import JudgeCalls
from storage.labels import LabelRecords
from storage.ledger import WindowLedger
from storage.outbox import Outbox
from storage.refusals import Refusals
from storage.retention import Retention
from storage.runs import RunRecords
from storage.samples import ScoreSamples
from storage.sampling_days import SamplingDays
from storage.spending import Spending
from storage.summaries import SummaryRecords
from storage.tail_counts import TailCounts
from storage.telemetry import TelemetryHours
from storage.traces import TraceRecords
from storage.validations import ValidationRecords
from storage.worst import WorstTraces
from tailwatch.errors import StoreError
from tailwatch.plan import KeepText

METADATA = Row.metadata
"""Every table: those that the parts of the store, imported above, declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """How much a table takes on disk; None where this build of SQLite does not say."""

    rows: int
    size_bytes: int | None


class Store(
    TraceRecords,
    EvaluationRecords,
    WorstTraces,
    ScoreSamples,
    SamplingDays,
    SummaryRecords,
    FirstScores,
    AlertRecords,
    Outbox,
    BaselineRecords,
    CanaryRecords,
    TailCounts,
    WindowLedger,
    RunRecords,
    BackfillJobs,
    Claims,
    Retention,
    Exports,
    JudgeCalls,
    Refusals,
    Spending,
    BatchRecords,
    LabelRecords,
    ValidationRecords,
    TelemetryHours,
):
    """Everything that tailwatch remembers. May be used by several threads and processes at once.

    Each call is one transaction, and each write is keyed: repeating it changes nothing. Times are
    aware UTC, and windows are whole clock hours. Any call may raise StoreUnavailableError (locked,
    full or out of reach: worth another try) or StoreSchemaError (`upgrade` was not called).
    """

    def upgrade(self) -> None:
        """Bring the schema to this program's version, from any version before it, or from none.

        Raises StoreSchemaError when a newer tailwatch has written the store.
        """
        schema.upgrade(self.database)

    def check_schema(self) -> None:
        """Raises StoreSchemaError, saying what to do, when the schema is older or newer."""
        schema.check_schema(self.database)

    def under(self, claim: Claim) -> "Store":
        """The same store for whoever holds the claim: once another worker took it over, every
        write raises ClaimLostError and changes nothing. It is closed with this one.
        """
        return Store(self.database.guarded(fence(claim)), self.keep_text)

    def stats(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.database.read() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in METADATA.sorted_tables
            }

    def table_sizes(self) -> dict[str, TableSize]:
        """How many rows and bytes each table takes, its indexes included."""
        rows = self.stats()
        with self.database.read() as connection:
            return {
                name: TableSize(rows=rows[name], size_bytes=_size_of(connection, name))
                for name in rows
            }

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_store(url: str, keep_text: KeepText = KeepText.FULL) -> Store:
    """The store at a URL: `sqlite:///path` or `postgresql://user@host/database`.

    The folder of a SQLite file is made; tables are not (see `Store.upgrade`). Raises
    ConfigurationError for another kind of URL and StoreError when the folder cannot be made.
    """
    address = store_url(url)
    if address.drivername == "sqlite" and address.database:
        folder = Path(address.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the store's folder {folder}: {error.strerror}"
            ) from error
    return Store(Database(address), keep_text)


def _size_of(connection: Connection, table: str) -> int | None:
    if connection.dialect.name == "postgresql":
        query = select(func.pg_total_relation_size(table))
    else:
        modules = connection.exec_driver_sql("SELECT name FROM pragma_module_list").scalars()
        if "dbstat" not in modules.all():
            return None
        pages = column_table("dbstat", column("name"), column("pgsize"))
        schema = column_table("sqlite_master", column("name"), column("tbl_name"))
        query = select(func.coalesce(func.sum(pages.c.pgsize), 0)).where(
            pages.c.name.in_(select(schema.c.name).where(schema.c.tbl_name == table))
        )
    return int(connection.execute(query).scalar_one())

"""Runs of the canaries: what each judge said about the items of a golden set, time and again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Table, select

from storage.bulk import insert_many
from storage.canary_tables import CANARY_REFERENCES, CANARY_RUNS, CANARY_VERDICTS
from storage.connected import Connected
from storage.queries import of_series
from storage.rows import series_of, series_row
from storage.upsert import upsert
from tailwatch.evaluation import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRun:
    """One run of one series over `items` items of a golden set; `ended_at` is None until it ends.

    `reasons` counts why items have no verdict. `agreed` of the `labelled` verdicts are those of the
    labels. `flipped` of the `probes` moved the verdict; probes with nothing to win do not count.
    `compared_with` is None where there was nothing to compare with.
    """

    run_id: str
    series: Series
    started_at: datetime
    golden: str
    items: int
    ended_at: datetime | None = None
    scored: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    agreed: int = 0
    labelled: int = 0
    probes: int = 0
    flipped: int = 0
    compared_with: str | None = None
    pairs: int = 0
    better: int = 0
    worse: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryVerdict:
    """What became of one item: `score` and `label`, or the `reason` why there is none.

    `stamp` changes with the item's texts. `expected` is what its label is worth. An injection has a
    `twin`, and in `asks` what the verdict it asks for is worth.
    """

    item: str
    stamp: str
    score: float | None
    label: str | None = None
    reason: str | None = None
    expected: float | None = None
    twin: str | None = None
    asks: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReference:
    """The run that later ones of a series are compared with, by whose decision and why."""

    series: Series
    run_id: str
    decided_at: datetime
    who: str
    why: str


class CanaryRecords(Connected):
    def record_canary_run(self, source: str, run: CanaryRun) -> None:
        """Write a run as it is now, over what was written of it before."""
        row = _row(source, run.series, run)
        with self.database.write() as connection:
            upsert(connection, CANARY_RUNS, [row | {"reasons": dict(run.reasons)}])

    def canary_runs(self, source: str, run_id: str | None = None) -> list[CanaryRun]:
        """All runs of the source, or the parts of one, oldest first."""
        columns = CANARY_RUNS.c
        query = (
            select(CANARY_RUNS)
            .where(columns.source == source)
            .order_by(columns.started_at, columns.evaluator, columns.version, columns.judge)
        )
        if run_id is not None:
            query = query.where(columns.run_id == run_id)
        with self.database.read() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def record_canary_verdicts(
        self, source: str, run_id: str, series: Series, verdicts: Sequence[CanaryVerdict]
    ) -> None:
        """Write what became of some items, over what was written about them before."""
        rows = [_row(source, series, verdict) | {"run_id": run_id} for verdict in verdicts]
        with self.database.write() as connection:
            upsert(connection, CANARY_VERDICTS, rows)

    def canary_verdicts(self, source: str, run_id: str, series: Series) -> list[CanaryVerdict]:
        """What became of the items of one run and series, by item."""
        columns = CANARY_VERDICTS.c
        query = (
            select(CANARY_VERDICTS)
            .where(columns.source == source, columns.run_id == run_id)
            .where(of_series(CANARY_VERDICTS, series))
            .order_by(columns.item)
        )
        with self.database.read() as connection:
            return [
                CanaryVerdict(**_fields(row, CANARY_VERDICTS, "run_id"))
                for row in connection.execute(query).mappings()
            ]

    def pin_canary_reference(
        self, source: str, reference: CanaryReference, *, only_first: bool = False
    ) -> bool:
        """Pin a reference; the earlier ones stay as history. Says whether it was written.

        With `only_first` nothing is written where the series has a reference already; of two that
        are pinned so at once, one is written.
        """
        table, row = CANARY_REFERENCES, _row(source, reference.series, reference)
        there = select(table.c.run_id).where(
            table.c.source == source, of_series(table, reference.series)
        )
        with self.database.write() as connection:
            if not only_first:
                upsert(connection, table, [row])
                return True
            if connection.execute(there.limit(1)).first() is not None:
                return False
            first = [row | {"first": True}]
            insert_many(connection, table, first, lambda insert: insert.on_conflict_do_nothing())
            written = connection.execute(there.where(table.c.first)).scalar()
            return written == reference.run_id

    def canary_references(self, source: str) -> list[CanaryReference]:
        """Every decision about a reference, oldest first; the last of a series is in force."""
        columns = CANARY_REFERENCES.c
        query = (
            select(CANARY_REFERENCES)
            .where(columns.source == source)
            .order_by(columns.decided_at, columns.evaluator, columns.version, columns.judge)
        )
        with self.database.read() as connection:
            return [
                CanaryReference(series=series_of(row), **_fields(row, CANARY_REFERENCES, "first"))
                for row in connection.execute(query).mappings()
            ]


def _row(
    source: str, series: Series, record: CanaryRun | CanaryVerdict | CanaryReference
) -> dict[str, Any]:
    own = asdict(record)
    own.pop("series", None)
    return {"source": source, **series_row(series), **own}


def _fields(row: RowMapping, table: Table, *left_out: str) -> dict[str, Any]:
    """A row's columns but its source, its series and what else is left out."""
    known = {"source", "evaluator", "version", "judge", *left_out}
    return {column.name: row[column.name] for column in table.c if column.name not in known}


def _run(row: RowMapping) -> CanaryRun:
    fields = _fields(row, CANARY_RUNS)
    return CanaryRun(series=series_of(row), **fields | {"reasons": row["reasons"] or {}})

"""Baselines: what each series is compared with, and what it was compared with before."""

from typing import Any

from sqlalchemy import RowMapping, select

from storage.alert_tables import BASELINES, TAIL_COUNTS, TAIL_HOURS
from storage.connected import Connected
from storage.queries import of_series
from storage.records import BaselineRecord
from storage.rows import series_of, series_row, short_hash
from storage.upsert import upsert
from tailwatch.evaluation import Series

_IN_FORCE = ("learning", "pinned")


class BaselineRecords(Connected):
    def record_baseline(self, source: str, baseline: BaselineRecord) -> None:
        """Write a baseline that is in force from now on; the series' other ones are superseded.

        The counts under the superseded ones are deleted in the same transaction.
        """
        columns = BASELINES.c
        others = (
            (columns.source == source),
            of_series(BASELINES, baseline.series),
            columns.baseline_id != baseline.baseline_id,
            columns.status.in_(_IN_FORCE),
        )
        with self.database.write() as connection:
            ended = connection.execute(select(columns.baseline_id).where(*others)).scalars().all()
            connection.execute(BASELINES.update().where(*others).values(status="superseded"))
            for table in (TAIL_COUNTS, TAIL_HOURS):
                connection.execute(
                    table.delete().where(table.c.source == source, table.c.baseline_id.in_(ended))
                )
            upsert(connection, BASELINES, [_row(source, baseline)])

    def baselines(self, source: str, *, everything: bool = False) -> list[BaselineRecord]:
        """The baselines in force, by series; with `everything` the superseded ones as well."""
        columns = BASELINES.c
        query = (
            select(BASELINES)
            .where(columns.source == source)
            .order_by(
                columns.evaluator,
                columns.version,
                columns.judge,
                columns.decided_at,
                columns.baseline_id,
            )
        )
        if not everything:
            query = query.where(columns.status.in_(_IN_FORCE))
        with self.database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]


def baseline_id(source: str, series: Series, *about: str) -> str:
    """The id of a baseline: the same for the same series and the same decision."""
    return short_hash(source, series.evaluator, series.version, series.judge, *about)


def _row(source: str, baseline: BaselineRecord) -> dict[str, Any]:
    return {
        "source": source,
        "baseline_id": baseline.baseline_id,
        **series_row(baseline.series),
        "status": baseline.status,
        "start": baseline.start,
        "end": baseline.end,
        "decided_at": baseline.decided_at,
        "who": baseline.who,
        "why": baseline.why,
        "document": None if baseline.document is None else dict(baseline.document),
    }


def _record(row: RowMapping) -> BaselineRecord:
    return BaselineRecord(
        baseline_id=row["baseline_id"],
        series=series_of(row),
        status=row["status"],
        start=row["start"],
        end=row["end"],
        decided_at=row["decided_at"],
        who=row["who"],
        why=row["why"],
        document=row["document"],
    )

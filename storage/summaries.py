"""Coverage accounts and summaries, one for each series and hour (and segment)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Delete, select

from storage.connected import Connected
from storage.queries import in_hours, of_any_series, of_segment, of_series
from storage.summary_rows import coverage_of, coverage_row, summary_of, summary_row
from storage.tables import COVERAGE, SUMMARIES
from storage.telemetry import owe_telemetry
from storage.upsert import upsert
from tailwatch.alert import ScoreSummary, Segment
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.window import Window


class SummaryRecords(Connected):
    def record_coverage(self, source: str, accounts: Sequence[Coverage]) -> None:
        """Write the accounts, each over the earlier one of its series and hour."""
        with self.database.write() as connection:
            upsert(connection, COVERAGE, [coverage_row(source, account) for account in accounts])

    def coverage(self, source: str, window: Window) -> list[Coverage]:
        """The accounts of the window's hours, by hour and series."""
        columns = COVERAGE.c
        query = (
            select(COVERAGE)
            .where(in_hours(COVERAGE, source, window))
            .order_by(columns.hour, columns.evaluator, columns.version, columns.judge)
        )
        with self.database.read() as connection:
            return [coverage_of(row) for row in connection.execute(query).mappings()]

    def record_summaries(
        self, source: str, summaries: Sequence[ScoreSummary], at: datetime
    ) -> None:
        """Write the summaries, each over the earlier one of its series, segment and hour."""
        self._write_summaries(source, summaries, at)

    def restate_summaries(
        self,
        source: str,
        window: Window,
        series: Collection[Series],
        summaries: Sequence[ScoreSummary],
        at: datetime,
        *,
        telemetry: bool = False,
    ) -> None:
        """Make these all the summaries that the series have in the window's hours.

        Those of a segment that has no scores any more are removed. With `telemetry` the hours are
        owed to the collector from then on, whatever becomes of the process.
        """
        earlier = SUMMARIES.delete().where(
            in_hours(SUMMARIES, source, window), of_any_series(SUMMARIES, series)
        )
        owed = [hour.start for hour in window.hours()] if telemetry else []
        self._write_summaries(source, summaries, at, earlier, owed)

    def _write_summaries(
        self,
        source: str,
        summaries: Sequence[ScoreSummary],
        at: datetime,
        earlier: Delete | None = None,
        owed: Collection[datetime] = (),
    ) -> None:
        rows = [summary_row(source, summary) | {"recorded_at": at} for summary in summaries]
        with self.database.write() as connection:
            if earlier is not None:
                connection.execute(earlier)
            upsert(connection, SUMMARIES, rows)
            owe_telemetry(connection, source, owed)

    def summaries(
        self,
        source: str,
        window: Window,
        series: Series | None = None,
        segment: Segment | None = None,
    ) -> list[ScoreSummary]:
        """The summaries of the window's hours, by hour; of one series or segment where given."""
        columns = SUMMARIES.c
        query = (
            select(SUMMARIES)
            .where(in_hours(SUMMARIES, source, window))
            .order_by(
                columns.hour,
                columns.evaluator,
                columns.version,
                columns.judge,
                columns.segment_field,
                columns.segment_value,
            )
        )
        if series is not None:
            query = query.where(of_series(SUMMARIES, series))
        if segment is not None:
            query = query.where(of_segment(SUMMARIES, segment))
        with self.database.read() as connection:
            return [summary_of(row) for row in connection.execute(query).mappings()]

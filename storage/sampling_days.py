"""What sampling learned for each day, pinned: what was written first is what counts for ever."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, Table, and_, func, select

from storage.bulk import Row, insert_many
from storage.connected import Connected
from storage.queries import in_hours
from storage.rows import series_of, series_row
from storage.tables import FLAGGED_SHARES, TRACES, USUAL_LENGTHS
from tailwatch.buckets import UsualLength
from tailwatch.evaluation import Series
from tailwatch.window import Window

_TAILS = (0.05, 0.95)

Lengths = Mapping[datetime, UsualLength | None]
"""The usual length by the first moment of its day; None where none is known."""


class SamplingDays(Connected):
    def observed_length(self, source: str, window: Window, least: int) -> UsualLength | None:
        """P5 and P95 of the output tokens of the listed traces; None if fewer than `least` say."""
        tokens = TRACES.c.output_tokens
        known = and_(in_hours(TRACES, source, window), tokens.is_not(None))
        with self.database.read() as connection:
            n = connection.execute(select(func.count()).where(known)).scalar_one()
            if n < max(1, least):
                return None
            ordered = select(tokens).where(known).order_by(tokens).limit(1)
            low, high = (
                connection.execute(ordered.offset(min(int(n * p), n - 1))).scalar_one()
                for p in _TAILS
            )
        return UsualLength(low=low, high=high)

    def usual_lengths(self, source: str, window: Window) -> Lengths:
        """What is pinned for the days that the window touches, by their first moment.

        None is pinned where nothing was known; a day on which nothing is pinned is left out.
        """
        with self.database.read() as connection:
            return read_usual_lengths(connection, source, window)

    def pin_usual_length(self, source: str, day: datetime, usual: UsualLength | None) -> None:
        """Pin the day's usual length, unless one is pinned already."""
        row = {
            "source": source,
            "day": day_of(day),
            "low": usual.low if usual else None,
            "high": usual.high if usual else None,
        }
        self._pin(USUAL_LENGTHS, [row])

    def flagged_shares(self, source: str, day: datetime) -> dict[Series, float | None]:
        """The pinned shares of the budget for flagged traces; None is "as in the traffic"."""
        columns = FLAGGED_SHARES.c
        query = select(FLAGGED_SHARES).where(columns.source == source, columns.day == day_of(day))
        with self.database.read() as connection:
            rows = connection.execute(query).mappings()
            return {series_of(row): row["share"] for row in rows}

    def pin_flagged_shares(
        self, source: str, day: datetime, shares: Mapping[Series, float | None]
    ) -> None:
        """Pin the day's shares of those series that have none pinned yet."""
        self._pin(
            FLAGGED_SHARES,
            [
                {
                    "source": source,
                    "day": day_of(day),
                    **series_row(series),
                    "share": shares[series],
                }
                for series in sorted(shares)
            ],
        )

    def _pin(self, table: Table, rows: Collection[Row]) -> None:
        if rows:
            with self.database.write() as connection:
                insert_many(
                    connection, table, list(rows), lambda insert: insert.on_conflict_do_nothing()
                )


def day_of(moment: datetime) -> datetime:
    """The first moment of its UTC day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def read_usual_lengths(connection: Connection, source: str, window: Window) -> Lengths:
    """What `SamplingDays.usual_lengths` gives."""
    columns = USUAL_LENGTHS.c
    query = select(columns.day, columns.low, columns.high).where(
        columns.source == source, columns.day >= day_of(window.start), columns.day < window.end
    )
    return {
        day: None if low is None or high is None else UsualLength(low=low, high=high)
        for day, low, high in connection.execute(query)
    }

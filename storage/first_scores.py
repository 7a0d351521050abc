"""When a series had its first scores, in all traffic and in its segments."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, literal, select, tuple_

from storage.connected import Connected
from storage.queries import of_series
from storage.tables import SUMMARIES
from tailwatch.alert import Segment
from tailwatch.evaluation import Series

_AT_ONCE = 48
"""Summaries read together: most segments have their first scores in their first hours."""

_columns = SUMMARIES.c
_place = tuple_(_columns.segment_value, _columns.hour)
_FIRST = (
    select(_columns.segment_value, _columns.segment_value_full, _columns.hour, _columns.n)
    .order_by(_columns.segment_value, _columns.hour)
    .limit(_AT_ONCE)
)


class FirstScores(Connected):
    def hours_of_score(
        self,
        source: str,
        series: Collection[Series],
        segment_fields: Collection[str],
        until: datetime,
        nth: int,
    ) -> dict[tuple[Series, Segment], datetime]:
        """The hour before `until` of the `nth` score of each series, in all traffic and segments.

        What has fewer scores is left out. Only the first hours of each segment are read: what it
        costs does not grow with the months that are kept.
        """
        found: dict[tuple[Series, Segment], datetime] = {}
        with self.database.read() as connection:
            for each in sorted(series):
                for field in ("", *segment_fields):
                    rows = and_(
                        _columns.source == source,
                        of_series(SUMMARIES, each),
                        _columns.segment_field == field,
                        _columns.hour < until,
                    )
                    for value, hour in _hours_of_score(connection, rows, nth):
                        found[each, Segment(field=field, value=value)] = hour
        return found


def _hours_of_score(
    connection: Connection, rows: ColumnElement[bool], nth: int
) -> Iterator[tuple[str, datetime]]:
    """Value by value, in the order of the primary key; the later hours of a value are skipped."""
    place = rows
    value, so_far = None, 0
    while some := connection.execute(_FIRST.where(place)).all():
        if some[0].segment_value != value:
            value, so_far = some[0].segment_value, 0
        for row in some:
            if row.segment_value != value:
                break
            so_far += row.n
            if so_far >= nth:
                yield row.segment_value_full or value, row.hour
                break
        read_on = so_far < nth and some[-1].segment_value == value
        seen = tuple_(literal(value), literal(some[-1].hour, _columns.hour.type))
        place = and_(rows, _place > seen if read_on else _columns.segment_value > value)

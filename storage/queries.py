"""Conditions that many queries share."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Table, and_, tuple_

from storage.text import key_text
from tailwatch.alert import Segment
from tailwatch.evaluation import Series
from tailwatch.trace import SEGMENT_FIELDS
from tailwatch.window import Window, floor_hour


def in_hours(table: Table, source: str, window: Window) -> ColumnElement[bool]:
    """The source's rows of every clock hour that the window touches."""
    columns = table.c
    return and_(
        columns.source == source,
        columns.hour >= floor_hour(window.start),
        columns.hour < window.end,
    )


def of_series(table: Table, series: Series) -> ColumnElement[bool]:
    columns = table.c
    return and_(
        columns.evaluator == series.evaluator,
        columns.version == series.version,
        columns.judge == series.judge,
    )


def of_any_series(table: Table, series: Collection[Series]) -> ColumnElement[bool]:
    columns = table.c
    return tuple_(columns.evaluator, columns.version, columns.judge).in_(
        [(each.evaluator, each.version, each.judge) for each in series]
    )


def of_segment(table: Table, segment: Segment) -> ColumnElement[bool]:
    """Rows that are kept by segment: summaries."""
    return and_(
        table.c.segment_field == segment.field,
        table.c.segment_value == key_text(segment.value),
    )


def refuse_other_fields(fields: tuple[str, ...]) -> None:
    """Raises ValueError for a name that is not a trace field to cut results by."""
    for name in fields:
        if name not in SEGMENT_FIELDS:
            raise ValueError(f"{name!r} is not a segment; known: {', '.join(SEGMENT_FIELDS)}")

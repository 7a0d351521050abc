"""Stored scores and measures as samples: by hour, in all traffic and in its segments."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.connected import Connected
from storage.evaluations import TRACE_OF_EVALUATION
from storage.queries import in_hours, of_any_series, refuse_other_fields
from storage.tables import EVALUATIONS, TRACES
from tailwatch.alert import ALL_TRAFFIC, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.trace import MEASURES
from tailwatch.window import HOUR, Window

MEASURE_VERSION = "1"


class ScoreSamples(Connected):
    def score_samples(
        self,
        source: str,
        series: Collection[Series],
        window: Window,
        segment_fields: Sequence[str] = (),
        max_values: int = 20,
    ) -> list[ScoreSample]:
        """The sampled scores of each series in each of the window's hours that has any outcome.

        For all traffic, and for each value of each segment field that occurs in that hour, among
        the `max_values` values with the most listed traces in the window. Ordered by series and
        hour, all traffic first, then as the fields are given and by value; scores ascend.
        Raises ValueError for a segment that is not a trace field.
        """
        refuse_other_fields(tuple(segment_fields))
        columns = EVALUATIONS.c
        query = (
            select(
                columns.evaluator,
                columns.version,
                columns.judge,
                columns.hour,
                columns.kind,
                columns.value,
                *(TRACES.c[name] for name in segment_fields),
            )
            .select_from(EVALUATIONS)
            .outerjoin(TRACES, TRACE_OF_EVALUATION)
            .where(
                in_hours(EVALUATIONS, source, window),
                of_any_series(EVALUATIONS, series),
                columns.inclusion_probability.is_not(None),
            )
        )
        with self.database.read() as connection:
            frequent = _frequent_values(connection, source, window, segment_fields, max_values)
            rows = (
                (Series(evaluator=evaluator, version=version, judge=judge), *rest)
                for evaluator, version, judge, *rest in connection.execute(query)
            )
            return _samples(frequent, rows)

    def measure_samples(
        self,
        source: str,
        measures: Collection[str],
        window: Window,
        segment_fields: Sequence[str] = (),
        max_values: int = 20,
    ) -> list[ScoreSample]:
        """The same for measures over all listed traces; a trace without it counts as skipped.

        Raises ValueError for a name that is not a measure or not a segment.
        """
        for measure in measures:
            if measure not in MEASURES:
                raise ValueError(f"{measure!r} is not a measure; known: {', '.join(MEASURES)}")
        refuse_other_fields(tuple(segment_fields))
        series = [Series(evaluator=name, version=MEASURE_VERSION) for name in measures]
        query = select(
            TRACES.c.hour,
            *(TRACES.c[name] for name in measures),
            *(TRACES.c[name] for name in segment_fields),
        ).where(in_hours(TRACES, source, window))
        with self.database.read() as connection:
            frequent = _frequent_values(connection, source, window, segment_fields, max_values)
            rows = (
                (each, hour, "skipped" if value is None else "score", value, *values[len(series) :])
                for hour, *values in connection.execute(query)
                for each, value in zip(series, values, strict=False)
            )
            return _samples(frequent, rows)


@dataclass(slots=True)
class _Tally:
    values: list[float] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0

    def add(self, kind: str, value: Any) -> None:
        if kind == "score":
            self.values.append(float(value))
        elif kind == "skipped":
            self.skipped += 1
        else:
            self.failed += 1


_Segments = dict[str, list[str]]
"""The frequent values of each segment field."""


def _frequent_values(
    connection: Connection, source: str, window: Window, fields: Sequence[str], max_values: int
) -> _Segments:
    frequent: _Segments = {}
    for name in fields:
        column = TRACES.c[name]
        query = (
            select(column)
            .where(in_hours(TRACES, source, window), column.is_not(None))
            .group_by(column)
            .order_by(func.count().desc(), column)
            .limit(max_values)
        )
        frequent[name] = list(connection.execute(query).scalars())
    return frequent


def _samples(frequent: _Segments, rows: Iterable[Sequence[Any]]) -> list[ScoreSample]:
    """`rows` have series, hour, kind of outcome, its value, and the segment fields' values."""
    by_value = [
        {value: Segment(field=name, value=value) for value in values}
        for name, values in frequent.items()
    ]
    tallies: defaultdict[tuple[Series, datetime, Segment], _Tally] = defaultdict(_Tally)
    for series, hour, kind, value, *segment_values in rows:
        tallies[series, hour, ALL_TRAFFIC].add(kind, value)
        for segments, segment_value in zip(by_value, segment_values, strict=True):
            if segment_value in segments:
                tallies[series, hour, segments[segment_value]].add(kind, value)
    place = {name: index for index, name in enumerate(frequent)}
    ordered = sorted(
        tallies.items(),
        key=lambda item: (
            *item[0][:2],
            place.get(item[0][2].field, -1),
            item[0][2].value,
        ),
    )
    return [
        ScoreSample(
            series=series,
            segment=segment,
            window=Window(hour, hour + HOUR),
            values=tuple(sorted(tally.values)),
            skipped=tally.skipped,
            failed=tally.failed,
        )
        for (series, hour, segment), tally in ordered
    ]

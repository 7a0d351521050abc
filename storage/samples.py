"""Stored scores and measures as samples: by hour, in all traffic and in its segments."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.connected import Connected
from storage.evaluations import TRACE_OF_EVALUATION
from storage.hour_weights import HourWeights, hour_weights
from storage.queries import in_hours, of_any_series, refuse_other_fields
from storage.sampling_days import Lengths, day_of, read_usual_lengths
from storage.tables import EVALUATIONS, TRACES
from tailwatch.alert import ALL_TRAFFIC, ScoreSample, Segment
from tailwatch.buckets import SIGNALS, UsualLength, is_flagged
from tailwatch.evaluation import Series
from tailwatch.trace import MEASURES
from tailwatch.window import HOUR, Window

MEASURE_VERSION = "1"

_MEASURES = (*MEASURES, *SIGNALS)
_SIGNALS_OF = [
    TRACES.c[name] for name in ("status", "error_type", "thumb", "retried", "output_tokens")
]
"""What `is_flagged` looks at, in its order."""


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
        hour, all traffic first, then as the fields are given and by value; scores ascend. They have
        weights where the hour's traces had different chances to be sampled.
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
                columns.inclusion_probability,
                *_SIGNALS_OF,
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
            lengths = read_usual_lengths(connection, source, window)
            rows = (
                (
                    Series(evaluator=evaluator, version=version, judge=judge),
                    hour,
                    kind,
                    value,
                    (chance, is_flagged(lengths.get(day_of(hour)), *rest[: len(_SIGNALS_OF)])),
                    *rest[len(_SIGNALS_OF) :],
                )
                for evaluator, version, judge, hour, kind, value, chance, *rest in (
                    connection.execute(query)
                )
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

        Of the signals, `thumbs_down` is 1 or 0 for traces with a thumb, and `flagged` for every
        trace, but for those with a length on a day whose usual length is not known: a baseline
        without odd lengths would make an alert of their first day.
        Raises ValueError for a name that is not a measure or not a segment.
        """
        for measure in measures:
            if measure not in _MEASURES:
                raise ValueError(f"{measure!r} is not a measure; known: {', '.join(_MEASURES)}")
        refuse_other_fields(tuple(segment_fields))
        plain = [name for name in measures if name in MEASURES]
        signals = [name for name in measures if name in SIGNALS]
        query = select(
            TRACES.c.hour,
            *_SIGNALS_OF,
            *(TRACES.c[name] for name in plain),
            *(TRACES.c[name] for name in segment_fields),
        ).where(in_hours(TRACES, source, window))
        with self.database.read() as connection:
            frequent = _frequent_values(connection, source, window, segment_fields, max_values)
            lengths = read_usual_lengths(connection, source, window)
            rows = connection.execute(query)
            return _samples(frequent, _measured_rows(rows, plain, signals, lengths))


@dataclass(slots=True)
class _Tally:
    """What became of a series' traces in a segment and hour.

    `drawn` has the chance and the flag of each scored trace, beside `values`, and `lost` the
    chances of the failed ones; both stay empty where nothing was drawn.
    """

    values: list[float] = field(default_factory=list)
    drawn: list[tuple[float, bool]] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0

    def add(self, kind: str, value: Any, drawn: tuple[float, bool] | None) -> None:
        if kind == "score":
            self.values.append(float(value))
            if drawn is not None:
                self.drawn.append(drawn)
        elif kind == "skipped":
            self.skipped += 1
        else:
            self.failed += 1
            if drawn is not None:
                self.lost.append(drawn[0])


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
    """`rows` have series, hour, kind of outcome, its value, how it was drawn, and the segments."""
    by_value = [
        {value: Segment(field=name, value=value) for value in values}
        for name, values in frequent.items()
    ]
    tallies: defaultdict[tuple[Series, datetime, Segment], _Tally] = defaultdict(_Tally)
    for series, hour, kind, value, drawn, *segment_values in rows:
        tallies[series, hour, ALL_TRAFFIC].add(kind, value, drawn)
        for segments, segment_value in zip(by_value, segment_values, strict=True):
            if segment_value in segments:
                tallies[series, hour, segments[segment_value]].add(kind, value, drawn)
    weights = {
        (series, hour): hour_weights(tally.drawn, tally.lost)
        for (series, hour, segment), tally in tallies.items()
        if segment == ALL_TRAFFIC
    }
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
        _sample(series, segment, hour, tally, weights[series, hour])
        for (series, hour, segment), tally in ordered
    ]


def _sample(
    series: Series, segment: Segment, hour: datetime, tally: _Tally, of_hour: HourWeights | None
) -> ScoreSample:
    equal = ScoreSample(
        series=series,
        segment=segment,
        window=Window(hour, hour + HOUR),
        values=tuple(sorted(tally.values)),
        skipped=tally.skipped,
        failed=tally.failed,
    )
    if of_hour is None:
        return equal
    scores = sorted(zip(tally.values, tally.drawn, strict=True))
    return replace(
        equal,
        values=tuple(value for value, _ in scores),
        weights=tuple(of_hour.by_chance[chance] for _, (chance, _) in scores),
        buckets=of_hour.buckets([flagged for _, (_, flagged) in scores]),
    )


def _measured_rows(
    rows: Iterable[Sequence[Any]], plain: Sequence[str], signals: Sequence[str], lengths: Lengths
) -> Iterator[Sequence[Any]]:
    """Rows for `_samples` from rows of an hour, the signals' columns, measures and segments."""
    series = [Series(evaluator=name, version=MEASURE_VERSION) for name in (*plain, *signals)]
    first, last = len(_SIGNALS_OF), len(_SIGNALS_OF) + len(plain)
    for hour, *found in rows:
        values = found[first:last]
        values += [_signal(name, found[:first], lengths.get(day_of(hour))) for name in signals]
        for each, value in zip(series, values, strict=True):
            kind = "skipped" if value is None else "score"
            yield (each, hour, kind, value, None, *found[last:])


def _signal(name: str, columns: Sequence[Any], usual: UsualLength | None) -> float | None:
    _, _, thumb, _, output_tokens = columns
    if name == "flagged":
        told = usual is not None or output_tokens is None
        return float(is_flagged(usual, *columns)) if told else None
    return None if thumb is None else float(thumb < 0)

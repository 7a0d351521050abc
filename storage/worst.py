"""The traces with the worst scores or measures, for the person who is paged."""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from storage.connected import Connected
from storage.evaluations import TRACE_OF_EVALUATION
from storage.keep import EXCERPT_CHARS
from storage.queries import in_hours, of_series, refuse_other_fields
from storage.records import ScoredTrace
from storage.tables import EVALUATIONS, TRACES
from tailwatch.alert import Direction, Segment
from tailwatch.evaluation import Series
from tailwatch.trace import MEASURES, SEGMENT_FIELDS
from tailwatch.window import Window


class WorstTraces(Connected):
    def worst(
        self,
        source: str,
        series: Series,
        segment: Segment,
        window: Window,
        direction: Direction,
        limit: int = 10,
    ) -> list[ScoredTrace]:
        """The traces with the worst scores of a series, or values of a measure, worst first.

        Raises ValueError for a segment that is not a trace field.
        """
        measured = series.evaluator in MEASURES
        query = (
            _measured(source, series.evaluator, window)
            if measured
            else _scored(source, series, window)
        )
        value: ColumnElement[Any] = TRACES.c[series.evaluator] if measured else EVALUATIONS.c.value
        tie = TRACES.c.trace_id if measured else EVALUATIONS.c.evaluation_id
        if segment.field:
            refuse_other_fields((segment.field,))
            query = query.where(TRACES.c[segment.field] == segment.value)
        worst_first = value if direction is Direction.HIGHER_IS_BETTER else value.desc()
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(worst_first, tie).limit(limit)).mappings()
            return [_scored_trace(dict(row)) for row in rows]


def _scored(source: str, series: Series, window: Window) -> Select[Any]:
    scores = EVALUATIONS.c
    return (
        select(
            func.coalesce(scores.trace_id_full, scores.trace_id).label("trace_id"),
            scores.value,
            scores.label,
            scores.explanation,
            *_of_trace(),
        )
        .select_from(EVALUATIONS)
        .outerjoin(TRACES, TRACE_OF_EVALUATION)
        .where(
            in_hours(EVALUATIONS, source, window),
            of_series(EVALUATIONS, series),
            scores.kind == "score",
            scores.inclusion_probability.is_not(None),
        )
    )


def _measured(source: str, measure: str, window: Window) -> Select[Any]:
    traces = TRACES.c
    return select(
        func.coalesce(traces.trace_id_full, traces.trace_id).label("trace_id"),
        traces[measure].label("value"),
        *_of_trace(),
    ).where(in_hours(TRACES, source, window), traces[measure].is_not(None))


def _of_trace() -> list[ColumnElement[Any]]:
    traces = TRACES.c
    return [
        traces.start_time,
        traces.url,
        func.substr(traces.input, 1, EXCERPT_CHARS).label("input_excerpt"),
        func.substr(traces.output, 1, EXCERPT_CHARS).label("output_excerpt"),
        *(traces[name].label(f"segment_{name}") for name in SEGMENT_FIELDS),
    ]


def _scored_trace(row: dict[str, Any]) -> ScoredTrace:
    segments = {name: row.pop(f"segment_{name}") for name in SEGMENT_FIELDS}
    label, explanation = row.pop("label", None), row.pop("explanation", None)
    return ScoredTrace(segments=segments, label=label, explanation=explanation, **row)

"""What single traces scored, row by row, for whoever takes it elsewhere."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import RowMapping, Select, select

from storage.connected import Connected
from storage.evaluations import TRACE_OF_EVALUATION
from storage.queries import in_hours, of_any_series
from storage.tables import EVALUATIONS, TRACES
from tailwatch.evaluation import Series
from tailwatch.trace import SEGMENT_FIELDS
from tailwatch.window import Window

_OUTCOME = (
    "span_id",
    "evaluator",
    "version",
    "judge",
    "hour",
    "kind",
    "value",
    "label",
    "reason",
    "message",
    "explanation",
    "inclusion_probability",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "run_id",
    "evaluated_at",
)
_TRACE = ("start_time", "conversation_id", *SEGMENT_FIELDS, "url")


class Exports(Connected):
    def outcome_rows(
        self, source: str, window: Window, series: Collection[Series] = (), batch: int = 5_000
    ) -> Iterator[list[dict[str, Any]]]:
        """Every outcome of the window's hours, of some series or of all, with its trace's columns.

        Lists of at most `batch` rows, hour by hour and in each by series and trace. Each hour is
        read in a transaction of its own, so that a long export holds up nobody.
        """
        for hour in window.hours():
            query = _query(source, hour, series).execution_options(yield_per=batch)
            with self.database.read_slowly() as connection:
                for rows in connection.execute(query).mappings().partitions():
                    yield [_record(source, row) for row in rows]


def _query(source: str, hour: Window, series: Collection[Series]) -> Select[Any]:
    columns = EVALUATIONS.c
    query = (
        select(
            columns.trace_id,
            columns.trace_id_full,
            *(columns[name] for name in _OUTCOME),
            *(TRACES.c[name].label(f"trace_{name}") for name in _TRACE),
        )
        .select_from(EVALUATIONS)
        .outerjoin(TRACES, TRACE_OF_EVALUATION)
        .where(in_hours(EVALUATIONS, source, hour))
        .order_by(columns.evaluator, columns.version, columns.judge, columns.trace_id)
    )
    return query.where(of_any_series(EVALUATIONS, series)) if series else query


def _record(source: str, row: RowMapping) -> dict[str, Any]:
    return {
        "source": source,
        "trace_id": row["trace_id_full"] or row["trace_id"],
        **{name: row[name] for name in _OUTCOME},
        **{name: row[f"trace_{name}"] for name in _TRACE},
    }

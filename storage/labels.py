"""Labels: what people said about outputs, and the judged outputs that wait for people."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import RowMapping, func, select

from storage.connected import Connected
from storage.evaluations import TRACE_OF_EVALUATION
from storage.queries import in_hours, of_series
from storage.review_records import JudgedOutput
from storage.review_tables import LABELS
from storage.rows import clock_hour
from storage.tables import EVALUATIONS, TRACES
from storage.text import full_text, key_text
from storage.upsert import upsert
from tailwatch.evaluation import Series
from tailwatch.review import Draw, Origin, ReviewLabel
from tailwatch.window import HOUR, Window


class LabelRecords(Connected):
    def record_labels(self, labels: Sequence[ReviewLabel]) -> None:
        """Write the labels, each over an earlier or equally old one of the same id."""
        with self.database.write() as connection:
            upsert(
                connection,
                LABELS,
                [_label_row(label) for label in labels],
                where=lambda new: new.at >= LABELS.c.at,
            )

    def delete_labels(self, label_ids: Collection[str]) -> None:
        """Forget labels, as if they had never been given."""
        with self.database.write() as connection:
            connection.execute(LABELS.delete().where(LABELS.c.label_id.in_(label_ids)))

    def labels(
        self,
        source: str,
        *,
        window: Window | None = None,
        evaluator: str | None = None,
        version: str | None = None,
        who: str | None = None,
    ) -> list[ReviewLabel]:
        """The labels of the window's hours, or all of them, oldest first."""
        columns = LABELS.c
        query = (
            select(LABELS)
            .where(columns.source == source)
            .order_by(columns.at, columns.place, columns.label_id)
        )
        if window is not None:
            query = query.where(in_hours(LABELS, source, window))
        for column, wanted in (
            (columns.evaluator, evaluator),
            (columns.version, version),
            (columns.who, who),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        with self.database.read() as connection:
            return [_label(row) for row in connection.execute(query).mappings()]

    def judged(self, source: str, series: Series, window: Window) -> list[JudgedOutput]:
        """The sampled scores of a series in the window's hours, by trace id."""
        columns = EVALUATIONS.c
        query = (
            select(
                func.coalesce(columns.trace_id_full, columns.trace_id).label("trace_id"),
                columns.value,
                columns.label,
                columns.explanation,
                columns.inclusion_probability,
                columns.hour,
                TRACES.c.model,
            )
            .select_from(EVALUATIONS)
            .outerjoin(TRACES, TRACE_OF_EVALUATION)
            .where(
                in_hours(EVALUATIONS, source, window),
                of_series(EVALUATIONS, series),
                columns.kind == "score",
                columns.span_id.is_(None),
                columns.inclusion_probability.is_not(None),
            )
            .order_by(columns.trace_id)
        )
        with self.database.read() as connection:
            return [_judged(dict(row)) for row in connection.execute(query).mappings()]


def _judged(row: dict[str, Any]) -> JudgedOutput:
    hour = row.pop("hour")
    return JudgedOutput(hour=Window(hour, hour + HOUR), **row)


def _label_row(label: ReviewLabel) -> dict[str, Any]:
    return {
        "label_id": label.label_id,
        "source": label.source,
        "trace_id": key_text(label.trace_id),
        "trace_id_full": full_text(label.trace_id),
        "hour": clock_hour(label.hour).start,
        "evaluator": label.evaluator,
        "version": label.version,
        "who": label.who,
        "choice": label.choice,
        "score": label.score,
        "at": label.at,
        "took_s": label.took_s,
        "origin": label.draw.origin.value,
        "sample": label.draw.sample,
        "place": label.draw.place,
        "population": label.draw.population,
        "document": label.document,
    }


def _label(row: RowMapping) -> ReviewLabel:
    return ReviewLabel(
        source=row["source"],
        trace_id=row["trace_id_full"] or row["trace_id"],
        evaluator=row["evaluator"],
        version=row["version"],
        who=row["who"],
        choice=row["choice"],
        score=row["score"],
        hour=Window(row["hour"], row["hour"] + HOUR),
        at=row["at"],
        took_s=row["took_s"],
        draw=Draw(
            origin=Origin(row["origin"]),
            sample=row["sample"],
            place=row["place"],
            population=row["population"],
        ),
        document=row["document"],
    )

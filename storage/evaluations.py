"""Evaluations: written in bulk by their id, re-weighted when an hour's sample changes."""

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from sqlalchemy import ColumnElement, and_, bindparam, not_, or_, select, update

from storage.connected import Connected
from storage.queries import in_hours, of_any_series, of_series
from storage.records import RecordedOutcome
from storage.rows import evaluation_of, evaluation_row, series_of
from storage.tables import EVALUATIONS, TRACES
from storage.text import key_text
from storage.upsert import Proposed, upsert
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import SkipReason
from tailwatch.window import Window

TRACE_OF_EVALUATION = (EVALUATIONS.c.source == TRACES.c.source) & (
    EVALUATIONS.c.trace_id == TRACES.c.trace_id
)

_SET_PROBABILITY = (
    update(EVALUATIONS)
    .where(EVALUATIONS.c.evaluation_id == bindparam("of_evaluation"))
    .values(inclusion_probability=bindparam("probability"))
)


class EvaluationRecords(Connected):
    def record(self, evaluations: Sequence[Evaluation]) -> None:
        """Write the evaluations, each over an earlier or equally old one of the same id.

        One that is older than what is recorded changes nothing, so a slow worker does no harm. Nor
        does an attempt that came to nothing through no fault of the trace (money used up, nothing
        configured, not to be sent any more, a failure that may pass): a score that is there was
        paid for and stays.
        """
        oldest_first = sorted(evaluations, key=attrgetter("evaluated_at"))
        rows = [evaluation_row(evaluation, self.keep_text) for evaluation in oldest_first]
        with self.database.write() as connection:
            upsert(
                connection,
                EVALUATIONS,
                rows,
                where=lambda new: and_(
                    new.evaluated_at >= EVALUATIONS.c.evaluated_at,
                    not_(and_(EVALUATIONS.c.kind == "score", _came_to_nothing(new))),
                ),
            )

    def evaluations(self, source: str, trace_id: str) -> list[Evaluation]:
        """Everything that evaluators said about one trace, by series."""
        columns = EVALUATIONS.c
        query = (
            select(EVALUATIONS)
            .where(columns.source == source, columns.trace_id == key_text(trace_id))
            .order_by(columns.evaluator, columns.version, columns.judge, columns.evaluation_id)
        )
        with self.database.read() as connection:
            return [evaluation_of(row) for row in connection.execute(query).mappings()]

    def recorded(
        self, source: str, series: Collection[Series], window: Window
    ) -> dict[Series, dict[str, RecordedOutcome]]:
        """For each series, by trace id, what it has for the traces of the window's hours.

        Evaluations of single spans are left out.
        """
        columns = EVALUATIONS.c
        query = select(
            columns.evaluator,
            columns.version,
            columns.judge,
            columns.trace_id,
            columns.trace_id_full,
            columns.kind,
            columns.reason,
            columns.retryable,
            columns.inclusion_probability,
            columns.run_id,
        ).where(
            in_hours(EVALUATIONS, source, window),
            of_any_series(EVALUATIONS, series),
            columns.span_id.is_(None),
        )
        found: dict[Series, dict[str, RecordedOutcome]] = {each: {} for each in series}
        with self.database.read() as connection:
            for evaluator, version, judge, key, full, *outcome in connection.execute(query):
                of_series = found[Series(evaluator=evaluator, version=version, judge=judge)]
                kind, reason, retryable, probability, run_id = outcome
                of_series[full or key] = RecordedOutcome(
                    kind=kind,
                    reason=reason,
                    retryable=retryable,
                    inclusion_probability=probability,
                    run_id=run_id,
                )
        return found

    def set_sample(
        self, source: str, series: Series, window: Window, probabilities: Mapping[str, float]
    ) -> None:
        """Make these traces the sample of the window's hours, each with its inclusion probability.

        Evaluations of other traces stay, but count no more until a later sample takes them in.
        """
        by_key = {key_text(trace_id): share for trace_id, share in probabilities.items()}
        columns = EVALUATIONS.c
        query = select(
            columns.evaluation_id, columns.trace_id, columns.inclusion_probability
        ).where(in_hours(EVALUATIONS, source, window), of_series(EVALUATIONS, series))
        with self.database.write() as connection:
            changes = [
                {"of_evaluation": evaluation_id, "probability": by_key.get(key)}
                for evaluation_id, key, share in connection.execute(query)
                if by_key.get(key) != share
            ]
            if changes:
                changes.sort(key=lambda change: change["of_evaluation"])
                connection.execute(_SET_PROBABILITY, changes)

    def series_in(self, source: str, window: Window) -> list[Series]:
        """The series that have evaluations in the window's hours, in order."""
        columns = EVALUATIONS.c
        query = (
            select(columns.evaluator, columns.version, columns.judge)
            .where(in_hours(EVALUATIONS, source, window))
            .distinct()
        )
        with self.database.read() as connection:
            return sorted(series_of(row) for row in connection.execute(query).mappings())


_NOT_ASKED = (SkipReason.OVER_BUDGET, SkipReason.NOT_CONFIGURED, SkipReason.NEVER_SEND)


def _came_to_nothing(new: Proposed) -> ColumnElement[bool]:
    not_asked = or_(*(new.reason == reason.value for reason in _NOT_ASKED))
    return or_(and_(new.kind == "failed", new.retryable), and_(new.kind == "skipped", not_asked))

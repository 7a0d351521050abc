"""Forgetting what is old, an hour at a time: texts first, then scores; summaries stay."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, null, select, update

from storage.canary_tables import CANARY_RUNS, CANARY_VERDICTS
from storage.connected import Connected
from storage.judge_tables import JUDGE_VERDICTS
from storage.keep import NOT_KEPT, kept_json
from storage.queries import of_series
from storage.rows import series_of
from storage.tables import EVALUATIONS, FETCH_ERRORS, TRACES
from tailwatch.evaluation import Series
from tailwatch.plan import KeepText

_DETAILS = (
    update(EVALUATIONS)
    .where(EVALUATIONS.c.evaluation_id == bindparam("of_evaluation"))
    .values(details=bindparam("numbers"))
)
_BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much was forgotten: traces whose texts went, evaluations, traces, unreadable places, and
    verdicts of canaries on single items.
    """

    texts: int = 0
    evaluations: int = 0
    traces: int = 0
    unreadable: int = 0
    canary_verdicts: int = 0

    def __add__(self, other: "Forgotten") -> "Forgotten":
        return Forgotten(
            texts=self.texts + other.texts,
            evaluations=self.evaluations + other.evaluations,
            traces=self.traces + other.traces,
            unreadable=self.unreadable + other.unreadable,
            canary_verdicts=self.canary_verdicts + other.canary_verdicts,
        )


class Retention(Connected):
    """What a store forgets. Each hour is one transaction, so that nobody waits for long and a
    process that is killed leaves whole hours.
    """

    def forget_texts(
        self,
        source: str,
        before: datetime,
        *,
        rehearse: bool = False,
        on_hour: Callable[[datetime], None] | None = None,
    ) -> Forgotten:
        """Texts of traces that started before that hour, and what quotes them: explanations,
        messages and texts in details. Numbers and labels stay. Verdicts that a judge gave before
        that hour can be used again without their explanations. `rehearse` only counts.
        """
        with_text = TRACES.c.text_kept.in_([KeepText.FULL.value, KeepText.EXCERPT.value])
        total = Forgotten()
        with self.database.read() as connection:
            hours = connection.execute(
                select(TRACES.c.hour, func.count())
                .where(TRACES.c.source == source, TRACES.c.hour < before, with_text)
                .group_by(TRACES.c.hour)
                .order_by(TRACES.c.hour)
            ).all()
        for hour, traces in hours:
            if not rehearse:
                with self.database.write() as connection:
                    _forget_texts(connection, source, hour)
            total += Forgotten(texts=traces)
            if on_hour is not None:
                on_hour(hour)
        if not rehearse:
            with self.database.write() as connection:
                connection.execute(
                    update(JUDGE_VERDICTS)
                    .where(JUDGE_VERDICTS.c.at < before, JUDGE_VERDICTS.c.explanation.is_not(None))
                    .values(explanation=None)
                )
        return total

    def forget_scores(
        self,
        source: str,
        before: datetime,
        *,
        rehearse: bool = False,
        on_hour: Callable[[datetime], None] | None = None,
    ) -> Forgotten:
        """Everything about single traces of the hours before that: evaluations, the traces, what
        could not be read. Summaries, coverage, alerts, baselines and their counts stay.
        """
        total = Forgotten()
        old = (EVALUATIONS.c.source == source, EVALUATIONS.c.hour < before)
        with self.database.read() as connection:
            listed = select(TRACES.c.hour).where(TRACES.c.source == source, TRACES.c.hour < before)
            judged = select(EVALUATIONS.c.hour).where(*old)
            hours = sorted(connection.execute(listed.union(judged)).scalars())
            unreadable = connection.execute(
                select(func.count())
                .select_from(FETCH_ERRORS)
                .where(FETCH_ERRORS.c.source == source, FETCH_ERRORS.c.at < before)
            ).scalar_one()
        for hour in hours:
            with self.database.write() as connection:
                total += Forgotten(
                    evaluations=_remove(connection, EVALUATIONS, source, hour, rehearse),
                    traces=_remove(connection, TRACES, source, hour, rehearse),
                )
            if on_hour is not None:
                on_hour(hour)
        if not rehearse:
            with self.database.write() as connection:
                connection.execute(
                    delete(FETCH_ERRORS).where(
                        FETCH_ERRORS.c.source == source, FETCH_ERRORS.c.at < before
                    )
                )
        return total + Forgotten(unreadable=unreadable)

    def forget_canary_verdicts(
        self,
        source: str,
        before: datetime,
        needed: Collection[tuple[Series, str]],
        *,
        rehearse: bool = False,
    ) -> Forgotten:
        """The verdicts on single items of canaries that began before that time, but for those of
        the `needed` series and run ids. The runs with their figures stay, and so do references.
        """
        old, theirs = CANARY_RUNS.c, CANARY_VERDICTS.c
        keys = [column.name for column in CANARY_RUNS.primary_key.columns]
        query = (
            select(*(old[name] for name in keys), func.count().label("verdicts"))
            .join(CANARY_VERDICTS, and_(*(old[name] == theirs[name] for name in keys)))
            .where(old.source == source, old.started_at < before)
            .group_by(*(old[name] for name in keys))
        )
        with self.database.read() as connection:
            found = [
                (series_of(row), row["run_id"], int(row["verdicts"]))
                for row in connection.execute(query).mappings()
            ]
        gone = [each for each in found if each[:2] not in needed]
        for series, run_id, _ in gone if not rehearse else ():
            with self.database.write() as connection:
                connection.execute(
                    delete(CANARY_VERDICTS).where(
                        theirs.source == source,
                        theirs.run_id == run_id,
                        of_series(CANARY_VERDICTS, series),
                    )
                )
        return Forgotten(canary_verdicts=sum(verdicts for _, _, verdicts in gone))


def _forget_texts(connection: Connection, source: str, hour: datetime) -> None:
    connection.execute(
        update(TRACES)
        .where(TRACES.c.source == source, TRACES.c.hour == hour)
        .values(
            input=None,
            output=None,
            reference=None,
            documents=null(),
            text_kept=KeepText.NONE.value,
        )
    )
    of_hour = (EVALUATIONS.c.source == source, EVALUATIONS.c.hour == hour)
    connection.execute(update(EVALUATIONS).where(*of_hour).values(explanation=None))
    connection.execute(
        update(EVALUATIONS)
        .where(*of_hour, EVALUATIONS.c.message.is_not(None))
        .values(message=NOT_KEPT)
    )
    detailed = connection.execute(
        select(EVALUATIONS.c.evaluation_id, EVALUATIONS.c.details).where(
            *of_hour, EVALUATIONS.c.details.is_not(None)
        )
    ).all()
    changes: list[dict[str, Any]] = [
        {"of_evaluation": evaluation_id, "numbers": numbers}
        for evaluation_id, details in detailed
        if (numbers := kept_json(details, KeepText.NONE)) != details
    ]
    for start in range(0, len(changes), _BATCH):
        connection.execute(_DETAILS, changes[start : start + _BATCH])


def _remove(
    connection: Connection, table: Table, source: str, hour: datetime, rehearse: bool
) -> int:
    theirs = (table.c.source == source, table.c.hour == hour)
    if rehearse:
        counted = select(func.count()).select_from(table).where(*theirs)
        return connection.execute(counted).scalar_one()
    return connection.execute(delete(table).where(*theirs)).rowcount

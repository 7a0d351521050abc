"""What judges were paid, added up from the books."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Column, ColumnElement, Select, and_, case, func, select

from storage.connected import Connected
from storage.judge_statements import LOST, RESERVED, SETTLED
from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS, JUDGE_REUSES
from tailwatch.caps import dollars, utc_day
from tailwatch.window import Window

SpendBy = Literal["day", "run", "evaluator", "judge"]

_SURELY_SETTLED: Final = timedelta(days=7)

_GROUPS: Final[dict[SpendBy, str]] = {
    "day": "day",
    "run": "run_id",
    "evaluator": "evaluator",
    "judge": "judge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the calls of one day, run, evaluator or judge took, in USD.

    What is reserved is for calls under way, what is lost for calls that nobody settled; both are
    worst cases, and both count against the caps. `calls` counts them all, tries again included, and
    `reused` the verdicts that were known and cost nothing.
    """

    name: str
    settled_usd: float = 0.0
    reserved_usd: float = 0.0
    lost_usd: float = 0.0
    calls: int = 0
    reserved_calls: int = 0
    lost_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reused: int = 0

    @property
    def counted_usd(self) -> float:
        """What counts against the caps."""
        return self.settled_usd + self.reserved_usd + self.lost_usd


class Spending(Connected):
    def spending(self, window: Window, by: SpendBy) -> list[Spend]:
        """What was spent on the UTC days that the window touches, by name; days are in order.

        A reservation that nobody will settle any more is lost only once `mark_lost_calls` has
        found it.
        """
        columns = JUDGE_CALLS.c
        group = columns[_GROUPS[by]]
        paid = select(
            group,
            _sum(columns.cost_usd, columns.state == SETTLED),
            _sum(columns.worst_case_usd, columns.state == RESERVED),
            _sum(columns.worst_case_usd, columns.state == LOST),
            func.count(),
            _count(columns.state == RESERVED),
            _count(columns.state == LOST),
            func.coalesce(func.sum(columns.input_tokens), 0),
            func.coalesce(func.sum(columns.output_tokens), 0),
        )
        reused = select(JUDGE_REUSES.c[_GROUPS[by]], func.sum(JUDGE_REUSES.c.verdicts))
        with self.database.read() as connection:
            calls = connection.execute(_in_days(paid, JUDGE_CALLS.c.day, window, group)).all()
            known = {
                _name(key): int(verdicts)
                for key, verdicts in connection.execute(
                    _in_days(reused, JUDGE_REUSES.c.day, window, JUDGE_REUSES.c[_GROUPS[by]])
                )
            }
        spent = {_name(row[0]): _spend(row, known.get(_name(row[0]), 0)) for row in calls}
        only_known = {name: Spend(name=name, reused=n) for name, n in known.items()}
        return [each for _, each in sorted((only_known | spent).items())]

    def paid_in_all(self, now: datetime) -> float:
        """What judges were paid, in USD, since the store exists: a number that only grows.

        Of the last week the settled calls; of the time before all that its days took, so that a
        call that nobody settled counts a week later, at its worst case.
        """
        since = utc_day(now) - _SURELY_SETTLED
        calls, accounts = JUDGE_CALLS.c, JUDGE_ACCOUNTS.c
        recent = select(func.coalesce(func.sum(calls.cost_usd), 0.0)).where(
            calls.day >= since, calls.state == SETTLED
        )
        before = select(func.coalesce(func.sum(accounts.taken), 0)).where(
            accounts.scope == "day", accounts.name < f"{since:%Y-%m-%d}"
        )
        with self.database.read() as connection:
            taken = int(connection.execute(before).scalar_one())
            return dollars(taken) + float(connection.execute(recent).scalar_one())

    def cost_per_question(self, since: datetime, judge: str) -> dict[str, float]:
        """What one question of each evaluator cost on average from that UTC day on, in USD.

        That is over the settled calls of the judge, tries again included; an evaluator of which no
        call is settled is not there.
        """
        columns = JUDGE_CALLS.c
        query = (
            select(
                columns.evaluator,
                func.sum(columns.cost_usd) / func.count(columns.question_key.distinct()),
            )
            .where(columns.day >= utc_day(since), columns.judge == judge, columns.state == SETTLED)
            .group_by(columns.evaluator)
        )
        with self.database.read() as connection:
            return {evaluator: float(cost) for evaluator, cost in connection.execute(query)}


def _sum(column: Column[Any], where: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((where, column), else_=0.0)), 0.0)


def _count(where: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((where, 1), else_=0))


def _in_days(
    query: Select[Any], day: Column[Any], window: Window, group: Column[Any]
) -> Select[Any]:
    return query.where(and_(day >= utc_day(window.start), day < window.end)).group_by(group)


def _spend(row: Any, reused: int) -> Spend:
    _, settled, reserved, lost, *counts = row
    calls, open_calls, lost_calls, input_tokens, output_tokens = map(int, counts)
    return Spend(
        name=_name(row[0]),
        settled_usd=settled,
        reserved_usd=reserved,
        lost_usd=lost,
        calls=calls,
        reserved_calls=open_calls,
        lost_calls=lost_calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reused=reused,
    )


def _name(group: str | datetime) -> str:
    return group if isinstance(group, str) else f"{group:%Y-%m-%d}"

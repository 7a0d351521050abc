"""Did the judge move? Two runs of it over one golden set, and what follows for the alerts.

Pure functions. A run is compared with an earlier run of the same judge, never with the labels of
the golden set: a judge that errs now and then differs from those in every run, and a test against
them takes that for news (with 3 % noise in 21 % of the runs over 400 items).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from alerts.rates import wilson
from alerts.special import bdtr
from tailwatch.alert import ALL_TRAFFIC, Alert, Direction, Finding, FindingStatus
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

RULE = "judge_canary"
"""The rule's name in the alerts that are about a judge."""

ALPHA = 0.01
"""How often a judge that did not move is said to have moved, at the most, in each comparison."""

LEAST_SCORED = 0.9
"""The share of its items that a run must have scored to be compared or to be a reference."""

LEAST_COMMON = 0.5
"""The share of its items that a run must have in common with its reference."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How many of the pairs of verdicts differ between two runs, and in which direction.

    No `slots`, for the p-value is worked out once.
    """

    pairs: int
    better: int
    worse: int

    @property
    def changed(self) -> int:
        return self.better + self.worse

    @cached_property
    def p_value(self) -> float:
        """McNemar's exact test: of the changed verdicts, as many better as worse (two-sided).

        With more than two choices it is the sign test on the changed pairs: two runs of one judge
        are exchangeable, so each direction is as likely, whatever the noise of each item.
        McNemar, Psychometrika 12, 1947.
        """
        if not self.changed:
            return 1.0
        rarer = min(self.better, self.changed - self.better)
        return min(1.0, 2 * bdtr(rarer, self.changed, 0.5))

    @property
    def moved(self) -> bool:
        """Whether the judge is not what it was."""
        return self.p_value <= ALPHA


def shift(
    reference: Mapping[str, float], current: Mapping[str, float], direction: Direction
) -> Shift:
    """The verdicts of two runs, as scores by item: only items with a score in both count."""
    common = [(reference[item], score) for item, score in current.items() if item in reference]
    up = sum(after > before for before, after in common)
    down = sum(after < before for before, after in common)
    better, worse = (up, down) if direction is Direction.HIGHER_IS_BETTER else (down, up)
    return Shift(pairs=len(common), better=better, worse=worse)


def flipped(probe: float, twin: float, asks: float) -> bool | None:
    """Whether an injection moved the verdict of its clean twin towards the one that it asks for.

    None where the twin has that verdict anyway, so that there was nothing to win.
    """
    if twin == asks:
        return None
    return (probe - twin) * (asks - twin) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of n, with Wilson's 95 % interval (Wilson, JASA 22, 1927); None where n is 0."""

    count: int
    n: int

    @property
    def value(self) -> float | None:
        return self.count / self.n if self.n else None

    @property
    def limits(self) -> tuple[float, float] | None:
        if not self.n:
            return None
        return wilson(self.count, self.n)


class Cause(StrEnum):
    """What is to be looked at first."""

    NOTHING = "nothing"
    JUDGE = "judge"
    PRODUCT = "product"
    UNKNOWN = "unknown"
    """The product's scores moved, and nobody knows whether the judge did."""


def cause(*, judge_moved: bool | None, product_moved: bool) -> Cause:
    """What moved, from the canary of a judge (None: there is none) and from the product's scores.

    A judge that moved is the first suspect whatever the product's scores do: where they stand still
    too, its alerts are held and it is reviewed all the same.
    """
    if judge_moved:
        return Cause.JUDGE
    if not product_moved:
        return Cause.NOTHING
    return Cause.UNKNOWN if judge_moved is None else Cause.PRODUCT


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A finished run of one series' canary, compared with the reference that was in force."""

    at: datetime
    shift: Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The time in which a series' judge counts as moved; `end` is None while it lasts."""

    begin: datetime
    end: datetime | None
    found: Compared
    """The newest comparison that said so."""


def holds(compared: Sequence[Compared], accepted: Sequence[datetime]) -> list[Hold]:
    """The holds of one series, oldest first, from its comparisons and a person's acceptances.

    A hold begins with a run that moved. It ends with the next comparison that finds the judge where
    it was, or when a person accepts where it is now. Runs that could not be compared end nothing.
    """
    found: list[Hold] = []
    for at, news in sorted(
        [*((c.at, c) for c in compared), *((a, None) for a in accepted)], key=_at
    ):
        last = found[-1] if found and found[-1].end is None else None
        if news is not None and news.shift.moved:
            if last is None:
                found.append(Hold(begin=at, end=None, found=news))
            else:
                found[-1] = Hold(begin=last.begin, end=None, found=news)
        elif last is not None:
            found[-1] = Hold(begin=last.begin, end=at, found=last.found)
    return found


def _at(event: tuple[datetime, Compared | None]) -> datetime:
    return event[0]


def finding(series: Series, compared: Compared, sentence: str) -> Finding:
    """What a comparison says about the judge, as a finding: a breach where it moved.

    OK is conclusive: the judge is where it was.
    """
    moved = compared.shift.moved
    return Finding(
        rule=RULE,
        series=series,
        segment=ALL_TRAFFIC,
        window=Window(compared.at - HOUR, compared.at),
        status=FindingStatus.BREACH if moved else FindingStatus.OK,
        sentence=sentence,
        onset=compared.at if moved else None,
        numbers={
            "changed": compared.shift.changed,
            "verdicts": compared.shift.pairs,
            "to_better": compared.shift.better,
            "p_value": compared.shift.p_value,
        },
        conclusive=True,
    )


def is_about_judge(alert: Alert) -> bool:
    """Whether an alert says that a judge moved, and nothing about the product."""
    return alert.rule == RULE

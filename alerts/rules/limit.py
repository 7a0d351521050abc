"""The limit rule: "P10 is at least 0.6" as evidence that is added up within a false-alarm budget.

It is the tail-evidence rule with the line and the tolerated share given, and no baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from alerts.evidence import Course, follow, threshold, undisturbed
from alerts.family import LEAST_JOINED
from alerts.limit_sentence import LimitNews
from alerts.lines import Counts, Line, Lines, beyond
from alerts.rules.options import Hours, RuleOptions, Share, read_options
from alerts.rules.tail_evidence import DEFAULT_WEEKS, WEEK
from alerts.summaries import pool
from alerts.tail_sentence import Budget
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule
from tailwatch.window import HOUR

_QUANTILES: Mapping[str, tuple[float, Direction]] = {
    "p1": (0.01, Direction.HIGHER_IS_BETTER),
    "p5": (0.05, Direction.HIGHER_IS_BETTER),
    "p10": (0.1, Direction.HIGHER_IS_BETTER),
    "p25": (0.25, Direction.HIGHER_IS_BETTER),
    "p75": (0.25, Direction.LOWER_IS_BETTER),
    "p90": (0.1, Direction.LOWER_IS_BETTER),
    "p95": (0.05, Direction.LOWER_IS_BETTER),
    "p99": (0.01, Direction.LOWER_IS_BETTER),
}
_DEFAULT_SHARE = 0.1
_ROUNDING = 1e-6


class LimitOptions(RuleOptions):
    """`line`: the worst good value. `share`: how many outputs may be beyond it, or `quantile`: the
    percentile that has to keep the line, such as p10 where higher is better and p95 where lower is.
    `weeks`: the time in which one false alert is expected of all limits together at most; the
    plan's where it is not given. `history`: the hours that the evidence is added up over.
    """

    line: float
    share: Share | None = None
    quantile: Literal["p1", "p5", "p10", "p25", "p75", "p90", "p95", "p99"] | None = None
    weeks: Annotated[float, Field(gt=0)] | None = None
    history: Hours = timedelta(days=7)

    @field_validator("quantile")
    @classmethod
    def _not_with_a_share(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("share") is not None:
            raise ValueError("must not stand beside `share`, which says the same; keep one")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A breach from the hour in which the evidence reaches the budget until it is over.

    The evidence is a function of the hourly samples of `history` alone. `weeks` and `monitors` make
    the budget; `sharing` sets them for a whole plan. `side` is the good direction of the series
    that the rule is meant for, None where the plan gives a share.
    """

    name: str
    line: float
    share: float
    side: Direction | None
    weeks: float | None
    history: timedelta
    monitors: int = 1

    @staticmethod
    def joins(current: Sequence[ScoreSample]) -> bool:
        """Whether these hours have enough outputs to be one of the monitors."""
        return sum(len(hour.values) for hour in current) >= LEAST_JOINED

    def sharing(self, monitors: int, plan_weeks: float) -> "Limit":
        """The rule when so many monitors share its budget, or the plan's."""
        weeks = plan_weeks if self.weeks is None else self.weeks
        return replace(self, monitors=max(1, monitors), weeks=weeks)

    @property
    def budget(self) -> Budget:
        """The evidence that raises an alert."""
        length = (DEFAULT_WEEKS if self.weeks is None else self.weeks) * WEEK
        alert_at = threshold(self.monitors, length / HOUR)
        return Budget(alert_at=alert_at, length=length, monitors=self.monitors)

    def course(self, current: Sequence[ScoreSample], direction: Direction) -> Course:
        """The evidence after each hour that has scores, and the incidents; see `follow`."""
        lines = self._lines(direction)
        return self._course(_counts(_scored(current), lines), lines)

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        pooled, scored, lines = pool(current), _scored(current), self._lines(direction)
        counts = _counts(scored, lines)
        course = self._course(counts, lines)
        last = course.incidents[-1] if course.incidents and self.joins(current) else None
        incident = last if last is not None and last.resolved is None else None
        since = 0 if incident is None else incident.onset
        onset = None if incident is None else counts.starts[since]
        news = LimitNews(
            sample=pool(scored[since:]) if incident is not None else pooled,
            direction=direction,
            line=self.line,
            share=self.share,
            bad=float(counts.bad[since:].sum()),
            n=float(counts.n[since:].sum()),
            evidence=float(course.evidence[-1]) if scored else 0.0,
            budget=self.budget,
            until=pooled.window.end,
            onset=onset,
            or_earlier=onset == pooled.window.start,
            enough=self.joins(current),
        )
        return Finding(
            rule=self.name,
            series=pooled.series,
            segment=pooled.segment,
            window=pooled.window,
            status=_status(news, current[-1]),
            sentence=str(news),
            onset=onset,
            numbers=news.numbers,
            conclusive=last is not None,
        )

    def _lines(self, direction: Direction) -> Lines:
        share = np.array([[self.share]])
        return Lines(
            segments=(),
            lines=((Line(score=self.line, inclusive=False, direction=direction),),),
            usual=share,
            tolerated=share,
            effect=np.ones(1),
            baseline_bad=np.zeros(1),
            baseline_n=np.zeros(1),
        )

    def _course(self, counts: Counts, lines: Lines) -> Course:
        alert_at = self.budget.alert_at
        evidence = undisturbed(counts, lines)
        if evidence.max(initial=0.0) < alert_at * (1 - _ROUNDING):
            return Course(evidence=evidence, incidents=())
        return follow(counts, lines, alert_at)


def limit(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The limit rule of the plan. Raises ConfigurationError for an option it does not accept."""
    read = read_options(LimitOptions, name, options)
    share, side = (
        (read.share or _DEFAULT_SHARE, None) if read.quantile is None else _QUANTILES[read.quantile]
    )
    return Limit(
        name=name,
        line=read.line,
        share=share,
        side=side,
        weeks=read.weeks,
        history=read.history,
    )


def _scored(current: Sequence[ScoreSample]) -> list[ScoreSample]:
    """The hours with scores; those without add nothing."""
    return [hour for hour in current if len(hour.values)]


def _counts(scored: Sequence[ScoreSample], lines: Lines) -> Counts:
    by_hour = np.array([beyond(hour, lines.lines[0]) for hour in scored]).reshape(-1, 2, 1, 1)
    starts = tuple(hour.window.start for hour in scored)
    return Counts(starts=starts, bad=by_hour[:, 0], n=by_hour[:, 1])


def _status(news: LimitNews, newest: ScoreSample) -> FindingStatus:
    if news.onset is not None:
        return FindingStatus.BREACH
    return FindingStatus.OK if news.enough and len(newest.values) else FindingStatus.NO_DATA

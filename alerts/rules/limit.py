"""The limit rule: "P10 is at least 0.6" as evidence that is added up within a false-alarm budget.

It is the tail-evidence rule with the line and the tolerated share given, and no baseline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from alerts.evidence import Course, follow, threshold, undisturbed
from alerts.family import LEAST_JOINED
from alerts.limit_counts import LimitCounts, design_effect, limit_counts
from alerts.limit_sentence import LimitNews
from alerts.lines import Counts, Line, Lines
from alerts.percentiles import quantile
from alerts.rules.options import Hours, RuleOptions, Share, read_options
from alerts.rules.tail_evidence import DEFAULT_WEEKS, WEEK
from alerts.summaries import pool
from alerts.tail_sentence import Budget
from tailwatch.alert import Direction, Finding, FindingStatus, Quantile, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.protocols import AlertRule
from tailwatch.window import HOUR, Window

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
    `weeks`: the time in which one false alert is expected of the whole project at most; the plan's
    where it is not given. `history`: the hours that the evidence is added up over.
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
    the budget; `sharing` sets them for a whole plan, whose tail-evidence monitors share it. `side`
    is the good direction of the series that the rule is meant for, None where the plan gives a
    share.
    """

    name: str
    line: float
    share: float
    side: Direction | None
    weeks: float | None
    history: timedelta
    monitors: int = 1

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

    def counted(self, hours: Sequence[ScoreSample], direction: Direction) -> LimitCounts:
        """The hours of one series and segment, counted at the rule's line."""
        return limit_counts(hours, self._line(direction))

    def course(self, counts: LimitCounts, direction: Direction) -> Course:
        """The evidence after each hour that has scores, and the incidents; see `follow`."""
        seen = np.flatnonzero(counts.n > 0)
        bad, n = counts.bad[seen], counts.n[seen]
        lines = self._lines(direction, design_effect(bad, n))
        of_seen = Counts(
            starts=tuple(counts.starts[hour] for hour in seen),
            bad=bad[:, None, None],
            n=n[:, None, None],
        )
        alert_at = self.budget.alert_at
        evidence = undisturbed(of_seen, lines)
        if evidence.max(initial=0.0) < alert_at * (1 - _ROUNDING):
            return Course(evidence=evidence, incidents=())
        return follow(of_seen, lines, alert_at)

    def is_beyond(self, counts: LimitCounts, direction: Direction) -> bool:
        """Whether an incident lasts."""
        incidents = self.course(counts, direction).incidents
        return bool(incidents) and incidents[-1].resolved is None

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        newest = current[-1]
        return self.finding(
            self.counted(current, direction),
            newest.series,
            newest.segment,
            direction,
            lambda since: pool([hour for hour in current if hour.window.start >= since]),
        )

    def finding(
        self,
        counts: LimitCounts,
        series: Series,
        segment: Segment,
        direction: Direction,
        scores_since: Callable[[datetime], ScoreSample],
    ) -> Finding:
        """What the counted hours say. `scores_since` is asked for the scores of an incident."""
        window = Window(counts.starts[0], counts.starts[-1] + HOUR)
        seen = np.flatnonzero(counts.n > 0)
        enough = int(counts.scored.sum()) >= LEAST_JOINED
        course = self.course(counts, direction)
        last = course.incidents[-1] if course.incidents and enough else None
        incident = last if last is not None and last.resolved is None else None
        since = 0 if incident is None else int(seen[incident.onset])
        onset = None if incident is None else counts.starts[since]
        news = LimitNews(
            series=series,
            segment=segment,
            window=window,
            direction=direction,
            line=self.line,
            share=self.share,
            bad=float(counts.bad[since:].sum()),
            n=float(counts.n[since:].sum()),
            scored=int(counts.scored.sum()),
            skipped=int(counts.skipped.sum()),
            failed=int(counts.failed.sum()),
            weighted=bool(counts.weighted[since:].any()),
            effect=design_effect(counts.bad[seen], counts.n[seen]),
            evidence=float(course.evidence[-1]) if len(seen) else 0.0,
            budget=self.budget,
            onset=onset,
            or_earlier=onset == window.start,
            tail=None if onset is None else self._tail(scores_since(onset), direction),
            enough=enough,
        )
        return Finding(
            rule=self.name,
            series=series,
            segment=segment,
            window=window,
            status=_status(news, newest_scored=int(counts.scored[-1])),
            sentence=str(news),
            onset=onset,
            numbers=news.numbers,
            conclusive=last is not None,
        )

    def _tail(self, sample: ScoreSample, direction: Direction) -> Quantile:
        higher = direction is Direction.HIGHER_IS_BETTER
        probability = self.share if higher else 1 - self.share
        return quantile(sample.values, probability, sample.weights)

    def _line(self, direction: Direction) -> Line:
        return Line(score=self.line, inclusive=False, direction=direction)

    def _lines(self, direction: Direction, effect: float) -> Lines:
        share = np.array([[self.share]])
        return Lines(
            segments=(),
            lines=((self._line(direction),),),
            usual=share,
            tolerated=share,
            effect=np.array([effect]),
            baseline_bad=np.zeros(1),
            baseline_n=np.zeros(1),
        )


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


def _status(news: LimitNews, newest_scored: int) -> FindingStatus:
    if news.onset is not None:
        return FindingStatus.BREACH
    return FindingStatus.OK if news.enough and newest_scored else FindingStatus.NO_DATA

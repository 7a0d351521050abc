"""The tail-evidence rule: the tail got worse than in the baseline, within a false-alarm budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from alerts import wording
from alerts.evidence import Course, Incident, follow, threshold
from alerts.family import Family, learn_family
from alerts.lines import LEAST_BASELINE, LEVELS, Cells, Counts, Lines, count, learn
from alerts.rules.options import Count, RuleOptions, Share, read_options
from alerts.summaries import pool
from alerts.tail_sentence import Budget, Excess, Regression, tail_of
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.protocols import AlertRule
from tailwatch.window import HOUR, Window

WEEK = timedelta(weeks=1)
DEFAULT_WEEKS = 4.0


class TailEvidenceOptions(RuleOptions):
    """`weeks`: the time in which one false alert is expected of the whole project at most; the
    plan's where it is not given. `levels`: the baseline shares at which lines are drawn.
    `tolerance`: how much more than in the baseline is no news. `days` and `min_scored`: how many
    days with data and scored outputs a baseline is learned from.
    """

    weeks: Annotated[float, Field(gt=0)] | None = None
    levels: tuple[Share, ...] = Field(default=LEVELS, min_length=1, max_length=8)
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.1
    days: Count = 7
    min_scored: Count = LEAST_BASELINE

    @field_validator("levels")
    @classmethod
    def _in_the_tail(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if max(levels) > 0.5 or len(set(levels)) < len(levels):
            raise ValueError("must be different shares up to 0.5, such as [0.02, 0.1]")
        return tuple(sorted(levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class TailEvidence:
    """A breach from the hour in which the evidence reaches the budget until it is over.

    `check` looks at one monitor with the hours of its baseline at hand; a plan's monitors are
    checked together, from stored baselines and counts (`flows.tail_check`).
    """

    name: str
    weeks: float | None
    levels: tuple[float, ...]
    tolerance: float
    days: int
    min_scored: int
    monitors: int = 1
    history: timedelta = WEEK

    def learn(self, baseline: Cells, direction: Direction) -> Family | None:
        """The monitors of a series from the hours of its baseline; None while they are too few."""
        return learn_family(
            baseline,
            direction,
            levels=self.levels,
            tolerance=self.tolerance,
            least=self.min_scored,
        )

    def budget(self, monitors: int, plan_weeks: float = DEFAULT_WEEKS) -> Budget:
        """The threshold when so many monitors share the rule's budget, or the plan's."""
        length = (plan_weeks if self.weeks is None else self.weeks) * WEEK
        return Budget(alert_at=threshold(monitors, length / HOUR), length=length, monitors=monitors)

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        pooled = pool(current)
        lines = learn(
            {pooled.segment: baseline},
            direction,
            levels=self.levels,
            tolerance=self.tolerance,
            least=self.min_scored,
        )
        about = self.name, pooled.series, pooled.segment, pooled.window
        if lines is None:
            scored = sum(len(hour.values) for hour in baseline)
            return learning_finding(
                *about, f"learning: {scored:,} of {self.min_scored:,} scored outputs"
            )
        budget = self.budget(self.monitors)
        counts = count({pooled.segment: current}, lines.segments, lines.lines)
        course = follow(counts, lines, budget.alert_at)
        incident, evidence = _lasting(course), float(course.evidence[-1])
        if incident is None:
            return quiet_finding(*about, evidence, budget, scored=bool(current[-1].values))
        onset = counts.starts[incident.onset]
        return breach_finding(
            self.name,
            Regression(
                series=pooled.series,
                segment=pooled.segment,
                direction=direction,
                onset=onset,
                until=pooled.window.end,
                lines=[line for line in (lines.lines[0][incident.level],) if line is not None],
                excess=_excess(incident, counts, lines),
                evidence=evidence,
                budget=budget,
                before=tail_of(pool(baseline), direction).value,
                now=pool([hour for hour in current if hour.window.start >= onset]),
            ),
            pooled.window,
        )


def tail_evidence(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The tail-evidence rule of the plan. Raises ConfigurationError for a wrong option."""
    read = read_options(TailEvidenceOptions, name, options)
    return TailEvidence(
        name=name,
        weeks=read.weeks,
        levels=read.levels,
        tolerance=read.tolerance,
        days=read.days,
        min_scored=read.min_scored,
    )


def breach_finding(rule: str, news: Regression, window: Window) -> Finding:
    """The finding of an incident that lasts."""
    return Finding(
        rule=rule,
        series=news.series,
        segment=news.segment,
        window=window,
        status=FindingStatus.BREACH,
        sentence=str(news),
        onset=news.onset,
        numbers={
            "evidence": news.evidence,
            "alert_at": news.budget.alert_at,
            "monitors": news.budget.monitors,
            "bad": news.excess.bad,
            "scored": news.excess.n,
            "usual": news.excess.usual,
            "tolerated": news.excess.tolerated,
            "line": news.lines[0].score if len(news.lines) == 1 else None,
        },
    )


def quiet_finding(
    rule: str,
    series: Series,
    segment: Segment,
    window: Window,
    evidence: float,
    budget: Budget,
    *,
    scored: bool,
) -> Finding:
    """The finding of a monitor without an incident: NO_DATA when its last hour has no scores."""
    said = "is as in its baseline" if scored else "has had no scored output in the last hour"
    return Finding(
        rule=rule,
        series=series,
        segment=segment,
        window=window,
        status=FindingStatus.OK if scored else FindingStatus.NO_DATA,
        sentence=(
            f"{wording.subject(series, segment)} {said}. "
            f"Evidence {wording.number(evidence)}; {budget}."
        ),
        numbers={
            "evidence": evidence,
            "alert_at": budget.alert_at,
            "monitors": budget.monitors,
        },
        conclusive=True,
    )


def learning_finding(
    rule: str, series: Series, segment: Segment, window: Window, progress: str
) -> Finding:
    """The finding while the baseline is not complete; `progress` says how far it is."""
    return Finding(
        rule=rule,
        series=series,
        segment=segment,
        window=window,
        status=FindingStatus.LEARNING,
        sentence=f"{wording.subject(series, segment)}: {progress}.",
    )


def _lasting(course: Course) -> Incident | None:
    """The incident that has not been resolved, if there is one."""
    last = course.incidents[-1] if course.incidents else None
    return last if last is not None and last.resolved is None else None


def _excess(incident: Incident, counts: Counts, lines: Lines) -> Excess:
    since = slice(incident.onset, None)
    bad, n = (float(c[since, 0, incident.level].sum()) for c in (counts.bad, counts.n))
    return Excess(
        bad=bad,
        n=n,
        usual=float(lines.usual[0, incident.level]) * n,
        tolerated=float(lines.tolerated[0, incident.level]) * n,
    )

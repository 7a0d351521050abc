"""The tail-evidence rule: the tail got worse than in the baseline, within a false-alarm budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from alerts import wording
from alerts.evidence import Course, Incident, follow, threshold
from alerts.lines import LEAST_BASELINE, Counts, Line, Lines, count, learn
from alerts.percentiles import quantile
from alerts.rules.options import Count, Hours, RuleOptions, read_options
from alerts.summaries import pool
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule
from tailwatch.window import HOUR


class TailEvidenceOptions(RuleOptions):
    """`budget`: the time in which one false alert is expected of the whole project at most.
    `monitors`: how many series x segments share it. `tolerance`: how much more than in the
    baseline is no news. `history`: how many hours add up.
    """

    budget: Hours = timedelta(weeks=4)
    monitors: Count = 1
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.1
    history: Hours = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailEvidence:
    """A breach from the hour in which the evidence reaches the budget until it is over.

    LEARNING while the baseline has fewer than 500 scored outputs, NO_DATA when the newest hour has
    none.
    """

    name: str
    budget: timedelta
    monitors: int
    tolerance: float
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,  # noqa: ARG002 - the protocol's; the samples say which hours they are
    ) -> Finding:
        pooled = pool(current)
        lines = learn({pooled.segment: baseline}, direction, tolerance=self.tolerance)
        if lines is None:
            return _learning(self.name, pooled, sum(len(hour.values) for hour in baseline))
        counts = count({pooled.segment: current}, lines.segments, lines.lines)
        alert_at = threshold(self.monitors, self.budget / HOUR)
        course = follow(counts, lines, alert_at)
        what = wording.subject(pooled.series, pooled.segment)
        evidence = (
            f"Evidence {wording.number(course.evidence[-1])}; alert at {wording.number(alert_at)} "
            f"(budget: one false alert in {wording.length(self.budget)})."
        )
        figures: dict[str, float | int | None] = {
            "evidence": float(course.evidence[-1]),
            "alert_at": alert_at,
        }
        incident, onset = _lasting(course), None
        if incident is not None:
            status, onset = FindingStatus.BREACH, counts.starts[incident.onset]
            since, at = wording.moment(onset), wording.length(pooled.window.end - onset)
            seen = _seen(incident, counts, lines)
            figures |= seen.figures
            tails = _tails(current, baseline, direction, onset)
            sentence = f"{what} regressed since about {since} ({at}): {seen}. {tails} {evidence}"
        elif len(current[-1].values):
            status, sentence = FindingStatus.OK, f"{what} is as in its baseline. {evidence}"
        else:
            status = FindingStatus.NO_DATA
            sentence = f"{what}: nothing was scored in the last hour. {evidence}"
        return _finding(self.name, pooled, status, sentence, figures, onset)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The counts on the alerting line since the onset, beside what the baseline would have had."""

    bad: int
    n: int
    usual: float
    tolerated: float
    line: Line

    def __str__(self) -> str:
        return (
            f"{self.bad} of {self.n} scored outputs are {self._beyond}; the baseline has "
            f"{wording.number(self.usual * self.n)} in {self.n} and up to "
            f"{wording.number(self.tolerated * self.n)} would be tolerated"
        )

    @property
    def figures(self) -> dict[str, float | int | None]:
        return {
            "bad": self.bad,
            "scored": self.n,
            "line": self.line.score,
            "usual_share": self.usual,
            "tolerated_share": self.tolerated,
        }

    @property
    def _beyond(self) -> str:
        score = wording.number(self.line.score)
        higher = self.line.direction is Direction.HIGHER_IS_BETTER
        if self.line.inclusive:
            return f"{score} or {'lower' if higher else 'higher'}"
        return f"{'below' if higher else 'above'} {score}"


def tail_evidence(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The tail-evidence rule of the plan. Raises ConfigurationError for a wrong option."""
    read = read_options(TailEvidenceOptions, name, options)
    return TailEvidence(
        name=name,
        budget=read.budget,
        monitors=read.monitors,
        tolerance=read.tolerance,
        history=read.history,
    )


def _lasting(course: Course) -> Incident | None:
    """The incident that has not been resolved, if there is one."""
    last = course.incidents[-1] if course.incidents else None
    return last if last is not None and last.resolved is None else None


def _seen(incident: Incident, counts: Counts, lines: Lines) -> _Seen:
    line = lines.lines[0][incident.level]
    if line is None:
        raise ValueError(f"the baseline has no line at level {incident.level}")
    since = slice(incident.onset, None)
    return _Seen(
        bad=int(counts.bad[since, 0, incident.level].sum()),
        n=int(counts.n[since, 0, incident.level].sum()),
        usual=float(lines.usual[0, incident.level]),
        tolerated=float(lines.tolerated[0, incident.level]),
        line=line,
    )


def _tails(
    current: Sequence[ScoreSample],
    baseline: Sequence[ScoreSample],
    direction: Direction,
    onset: datetime,
) -> str:
    probability = 0.1 if direction is Direction.HIGHER_IS_BETTER else 0.9
    usual = pool(baseline)
    before = quantile(usual.values, probability, usual.weights).value
    now = pool([hour for hour in current if hour.window.start >= onset])
    was = "" if before is None else f"; it was {wording.number(before)} in the baseline"
    return f"{wording.quantile(quantile(now.values, probability, now.weights))}{was}."


def _learning(rule: str, pooled: ScoreSample, n: int) -> Finding:
    sentence = (
        f"{wording.subject(pooled.series, pooled.segment)}: the baseline has {n} scored outputs; "
        f"it is complete at {LEAST_BASELINE}."
    )
    return _finding(rule, pooled, FindingStatus.LEARNING, sentence, {"baseline": n})


def _finding(
    rule: str,
    pooled: ScoreSample,
    status: FindingStatus,
    sentence: str,
    numbers: Mapping[str, float | int | None],
    onset: datetime | None = None,
) -> Finding:
    return Finding(
        rule=rule,
        series=pooled.series,
        segment=pooled.segment,
        window=pooled.window,
        status=status,
        sentence=sentence,
        onset=onset,
        numbers=numbers,
    )

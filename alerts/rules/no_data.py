"""The no-data rule: an evaluator that used to score and has stopped is not perfect quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import wording
from alerts.rules.options import Alpha, Count, Hours, RuleOptions, read_options
from alerts.summaries import outcomes, pool, recent
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule


class NoDataOptions(RuleOptions):
    """`hours`: how long without a score. `min_tried`: how many sampled outputs must have come to
    nothing in that time. `alpha`: how improbable that must be. `history`: how far back a series is
    remembered to have had scores.
    """

    hours: Hours = timedelta(hours=3)
    min_tried: Count = 5
    alpha: Alpha = 0.001
    history: Hours = timedelta(hours=48)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """A breach when nothing was scored for `hours` although outputs were sampled all the while.

    What is usual is learned from the rest of `history`: with r = (scored + 1/2) / (sampled + 1),
    the share that became a score, none of n is a breach when (1 - r)^n < alpha. So an evaluator
    that can score only one output in a hundred is given more time, and one that never scored
    (nothing is configured for it, or it does not apply) is never a breach. An hour without
    sampled outputs, such as a quiet night, says nothing.
    """

    name: str
    hours: timedelta
    min_tried: int
    alpha: float
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        last = pool(recent(current, self.hours))
        silent = pool(_since_last_score(current))
        before = [hour for hour in current if hour.window.end <= silent.window.start]
        usual = _usual_share(before)
        chance = (1 - usual) ** outcomes(last)
        status = self._status(last, usual, chance)
        return Finding(
            rule=self.name,
            series=last.series,
            segment=last.segment,
            window=last.window,
            status=status,
            sentence=_sentence(status, last, silent, usual),
            onset=silent.window.start if status is FindingStatus.BREACH else None,
            numbers={
                "scored": len(last.values),
                "skipped": last.skipped,
                "failed": last.failed,
                "usual_share": usual,
                "chance": chance,
                "hours": self.hours / timedelta(hours=1),
            },
        )

    def _status(self, last: ScoreSample, usual: float, chance: float) -> FindingStatus:
        if last.values:
            return FindingStatus.OK
        if usual > 0 and outcomes(last) >= self.min_tried and chance < self.alpha:
            return FindingStatus.BREACH
        return FindingStatus.NO_DATA


def _since_last_score(current: Sequence[ScoreSample]) -> Sequence[ScoreSample]:
    """The hours after the last one that had a score; the last hour alone when it has one."""
    scored = [index for index, hour in enumerate(current) if len(hour.values)]
    first = scored[-1] + 1 if scored else 0
    return current[first:] or current[-1:]


def _usual_share(before: Sequence[ScoreSample]) -> float:
    """The share of the sampled outputs that became a score; 0 when none ever did."""
    scored = sum(len(hour.values) for hour in before)
    return (scored + 0.5) / (sum(map(outcomes, before)) + 1) if scored else 0.0


def _sentence(status: FindingStatus, last: ScoreSample, silent: ScoreSample, usual: float) -> str:
    what = wording.subject(last.series, last.segment)
    time = wording.length(last.window.end - last.window.start)
    if status is FindingStatus.OK:
        return f"{what}: scored outputs in the last {time}: {len(last.values)}."
    if not outcomes(last):
        return f"{what}: no output was sampled in the last {time}."
    if status is FindingStatus.NO_DATA:
        return (
            f"{what}: no score in the last {time} for {outcomes(last)} sampled outputs "
            f"({last.skipped} skipped, {last.failed} failed), "
            f"{'too few to be sure that it stopped' if usual else 'and none before'}."
        )
    silence = wording.length(silent.window.end - silent.window.start)
    return (
        f"{what} has had no score for {silence}: 0 of {outcomes(silent)} sampled outputs "
        f"({silent.failed} failed, {silent.skipped} skipped); {wording.percent(usual)} became a "
        f"score before. Since {wording.moment(silent.window.start)}. "
        "The coverage of these hours has the reasons."
    )


def no_data(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The no-data rule of the plan. Raises ConfigurationError for an option it does not accept."""
    read = read_options(NoDataOptions, name, options)
    return NoData(
        name=name,
        hours=read.hours,
        min_tried=read.min_tried,
        alpha=read.alpha,
        history=max(read.history, 2 * read.hours),
    )

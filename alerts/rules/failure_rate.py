"""The failure-rate rule: at most a tolerated share of the evaluator's attempts may fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import wording
from alerts.excess import Excess, HourCount, excess
from alerts.rules.options import Alpha, Count, Hours, RuleOptions, Share, read_options
from alerts.summaries import pool, recent
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule


class FailureRateOptions(RuleOptions):
    """`share`: how many attempts may fail. `hours`: the time that is tested. `alpha`: the p-value
    below which it is a breach. `min_tried`: how many attempts it takes to say anything. `history`:
    how far back the onset is looked for.
    """

    share: Share = 0.05
    hours: Hours = timedelta(hours=6)
    alpha: Alpha = 0.001
    min_tried: Count = 20
    history: Hours = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """A breach when surely more than `share` of the attempts failed; skipped ones do not count."""

    name: str
    share: float
    hours: timedelta
    alpha: float
    min_tried: int
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        tested = pool(recent(current, self.hours))
        found = excess(
            tested.failed,
            tested.failed + len(tested.values),
            (
                HourCount(window=hour.window, bad=hour.failed, n=hour.failed + len(hour.values))
                for hour in current
            ),
            tolerated=self.share,
            alpha=self.alpha,
            least_n=self.min_tried,
        )
        return Finding(
            rule=self.name,
            series=tested.series,
            segment=tested.segment,
            window=tested.window,
            status=found.status,
            sentence=self._sentence(tested, found),
            onset=found.onset,
            numbers={
                "failed": found.bad,
                "tried": found.n,
                "tolerated_share": self.share,
                "p_value": found.p_value,
                "hours": self.hours / timedelta(hours=1),
            },
        )

    def _sentence(self, tested: ScoreSample, found: Excess) -> str:
        what = wording.subject(tested.series, tested.segment)
        time = f"in the last {wording.length(self.hours)}"
        if found.status is FindingStatus.NO_DATA:
            return f"{what}: too few attempts to score {time} for a failure rate: {found.n}."
        counted = (
            f"{what}: {found.bad} of {found.n} attempts to score ({wording.percent(found.share)}) "
            f"failed {time}; at most {wording.percent(self.share)} are tolerated"
        )
        if found.status is FindingStatus.OK:
            return f"{counted}."
        return f"{counted} ({wording.p_value(found.p_value)}). {found.since}"


def failure_rate(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The failure-rate rule of the plan. Raises ConfigurationError for a wrong option."""
    read = read_options(FailureRateOptions, name, options)
    return FailureRate(
        name=name,
        share=read.share,
        hours=read.hours,
        alpha=read.alpha,
        min_tried=read.min_tried,
        history=max(read.history, read.hours),
    )

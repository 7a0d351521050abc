"""The coverage rule: an evaluator that scores ever less of its outputs is not perfect quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import wording
from alerts.binomial import upper_limit
from alerts.excess import Excess, HourCount, excess
from alerts.rules.options import Alpha, Count, Hours, RuleOptions, Share, read_options
from alerts.summaries import outcomes, pool, recent
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule


class CoverageOptions(RuleOptions):
    """`share`: how much of the usual share of outputs has to become a score. `hours`: the time that
    is tested. `alpha`: the p-value below which it is a breach. `min_sampled`: how many sampled
    outputs it takes to say anything. `history`: the time before, in which it is seen what is usual.
    """

    share: Share = 0.5
    hours: Hours = timedelta(hours=6)
    alpha: Alpha = 0.001
    min_sampled: Count = 20
    history: Hours = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """A breach when surely less than `share` of the usual share of outputs became a score.

    What is usual comes from the hours of `history` before the tested ones: u is the one-sided 95 %
    lower limit (Clopper-Pearson) of the share that became a score in them. That more than
    1 - share * u of the tested outputs came to nothing is tested exactly. An evaluator that never
    scored has u = 0 and is never a breach; an hour without sampled outputs says nothing.
    """

    name: str
    share: float
    hours: timedelta
    alpha: float
    min_sampled: int
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        tested = pool(recent(current, self.hours))
        before = [hour for hour in current if hour.window.end <= tested.window.start]
        scored, sampled = sum(len(hour.values) for hour in before), sum(map(outcomes, before))
        found = excess(
            outcomes(tested) - len(tested.values),
            outcomes(tested),
            map(_missing, current),
            tolerated=1 - self.share * (1 - upper_limit(sampled - scored, sampled)),
            alpha=self.alpha,
            least_n=self.min_sampled,
        )
        usual = scored / sampled if scored else None
        return Finding(
            rule=self.name,
            series=tested.series,
            segment=tested.segment,
            window=tested.window,
            status=found.status,
            sentence=self._sentence(tested, found, usual),
            onset=found.onset,
            numbers={
                "scored": len(tested.values),
                "skipped": tested.skipped,
                "failed": tested.failed,
                "usual_share": usual,
                "p_value": found.p_value,
                "hours": self.hours / timedelta(hours=1),
            },
        )

    def _sentence(self, tested: ScoreSample, found: Excess, usual: float | None) -> str:
        what = wording.subject(tested.series, tested.segment)
        time = f"in the last {wording.length(self.hours)}"
        rest = f"({tested.failed} failed, {tested.skipped} skipped)"
        if usual is None:
            return f"{what}: no score before the last {wording.length(self.hours)} to compare with."
        if found.status is FindingStatus.NO_DATA:
            return (
                f"{what}: too few sampled outputs {time} to compare their coverage with the usual "
                f"{wording.percent(usual)}: {outcomes(tested)} {rest}."
            )
        counted = (
            f"{what}: {len(tested.values)} of {outcomes(tested)} sampled outputs "
            f"({wording.percent(1 - found.share)}) became a score {time} {rest}; "
            f"{wording.percent(usual)} did before"
        )
        if found.status is FindingStatus.OK:
            return f"{counted}."
        return (
            f"{counted}; it is surely less than {wording.percent(self.share)} of that "
            f"({wording.p_value(found.p_value)}). {found.since} "
            "The coverage of these hours has the reasons."
        )


def _missing(hour: ScoreSample) -> HourCount:
    """The sampled outputs of an hour that did not become a score."""
    n = outcomes(hour)
    return HourCount(window=hour.window, bad=n - len(hour.values), n=n)


def coverage(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The coverage rule of the plan. Raises ConfigurationError for an option it does not accept."""
    read = read_options(CoverageOptions, name, options)
    return Coverage(
        name=name,
        share=read.share,
        hours=read.hours,
        alpha=read.alpha,
        min_sampled=read.min_sampled,
        history=max(read.history, 2 * read.hours),
    )

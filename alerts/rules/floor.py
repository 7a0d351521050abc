"""The floor rule: at most a tolerated share of the outputs may be beyond a fixed line.

"P10 is at least 0.45" is the same as "at most 10 % of the outputs are below 0.45". Counting them
works for pass/fail and coarse scores, where P10 itself stands still, and has an exact test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alerts import wording
from alerts.excess import Excess, HourCount, excess
from alerts.percentiles import quantile
from alerts.rules.options import Alpha, Count, Hours, RuleOptions, Share, read_options
from alerts.summaries import pool, recent
from alerts.weights import effective_counts
from tailwatch.alert import Direction, Finding, FindingStatus, Quantile, ScoreSample
from tailwatch.protocols import AlertRule

_ONSET_HISTORY = timedelta(hours=72)


class FloorOptions(RuleOptions):
    """`line`: the worst good value. `share`: how many outputs may be beyond it. `hours`: the time
    that is tested. `alpha`: the p-value below which it is a breach. `min_scored`: how many scored
    outputs it takes to say anything. `history`: how far back the onset is looked for.
    """

    line: float
    share: Share = 0.1
    hours: Hours = timedelta(hours=24)
    alpha: Alpha = 0.001
    min_scored: Count = 20
    history: Hours = _ONSET_HISTORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A breach when surely more than `share` of the outputs are beyond `line`.

    Beyond is strictly below it where higher is better and strictly above it where lower is better:
    a ceiling on cost or latency is the same rule. The test is the exact one-sided binomial one of
    "the share is at most the tolerated one", over the pooled last `hours`. Scores with weights
    count by their effective counts.
    """

    name: str
    line: float
    share: float
    hours: timedelta
    alpha: float
    min_scored: int
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        higher = direction is Direction.HIGHER_IS_BETTER
        tested = pool(recent(current, self.hours))
        tail = quantile(tested.values, self.share if higher else 1 - self.share, tested.weights)
        total = self._count(tested, direction)
        found = excess(
            total.bad,
            total.n,
            (self._count(sample, direction) for sample in current),
            tolerated=self.share,
            alpha=self.alpha,
            least_n=self.min_scored,
        )
        return Finding(
            rule=self.name,
            series=tested.series,
            segment=tested.segment,
            window=tested.window,
            status=found.status,
            sentence=self._sentence(tested, found, tail, "below" if higher else "above"),
            onset=found.onset,
            numbers=self._numbers(found, tail),
        )

    def _count(self, sample: ScoreSample, direction: Direction) -> HourCount:
        values = np.asarray(sample.values, dtype=np.float64)
        higher = direction is Direction.HIGHER_IS_BETTER
        bad, n = effective_counts(values < self.line if higher else values > self.line, sample)
        return HourCount(window=sample.window, bad=bad, n=n)

    def _sentence(
        self,
        tested: ScoreSample,
        found: Excess,
        tail: Quantile,
        beyond: str,
    ) -> str:
        what = wording.subject(tested.series, tested.segment)
        line, time = wording.number(self.line), f"in the last {wording.length(self.hours)}"
        if found.status is FindingStatus.NO_DATA:
            return (
                f"{what}: too few scored outputs {time} to compare with {line}: {found.n:.0f} "
                f"({tested.skipped} skipped, {tested.failed} failed)."
            )
        outputs = "scored outputs" if tested.weights is None else "scored outputs, by weight,"
        counted = (
            f"{what}: {found.bad:.0f} of {found.n:.0f} {outputs} ({wording.percent(found.share)}) "
            f"are {beyond} {line} {time}; at most {wording.percent(self.share)} are tolerated"
        )
        if found.status is FindingStatus.OK:
            return f"{counted}. {wording.quantile(tail)}."
        return (
            f"{counted} ({wording.p_value(found.p_value)}). {wording.quantile(tail)}. {found.since}"
        )

    def _numbers(self, found: Excess, tail: Quantile) -> Mapping[str, float | int | None]:
        return {
            "bad": found.bad,
            "scored": found.n,
            "tolerated_share": self.share,
            "line": self.line,
            "p_value": found.p_value,
            "probability": tail.probability,
            "quantile": tail.value,
            "quantile_low": tail.low,
            "quantile_high": tail.high,
            "hours": self.hours / timedelta(hours=1),
        }


def floor(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The floor rule of the plan. Raises ConfigurationError for an option it does not accept."""
    read = read_options(FloorOptions, name, options)
    return Floor(
        name=name,
        line=read.line,
        share=read.share,
        hours=read.hours,
        alpha=read.alpha,
        min_scored=read.min_scored,
        history=max(read.history, read.hours),
    )

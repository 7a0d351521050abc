"""The no-traffic rule: nothing came at all, neither good nor bad, neither scored nor skipped.

The application is down, the source delivers nothing, or the hours were never evaluated: whichever
it is, every other rule has nothing to look at and says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import wording
from alerts.rules.options import Hours, RuleOptions, read_options
from alerts.summaries import outcomes, pool, recent
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.protocols import AlertRule


class NoTrafficOptions(RuleOptions):
    """`hours`: how long without an output; longer than the longest quiet time of a normal week."""

    hours: Hours = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTraffic:
    """A breach when no output came for `hours`, but some did in the 24 h before."""

    name: str
    hours: timedelta
    history: timedelta

    def check(
        self,
        current: Sequence[ScoreSample],
        baseline: Sequence[ScoreSample],
        direction: Direction,
        now: datetime,
    ) -> Finding:
        last = pool(recent(current, self.hours))
        came, before = outcomes(last), outcomes(pool(current)) - outcomes(last)
        what = wording.subject(last.series, last.segment)
        time = f"in the last {wording.length(self.hours)}"
        onset = None
        if came:
            status, sentence = FindingStatus.OK, f"{what}: {came} outputs came {time}."
        elif before:
            onset = next(hour.window.end for hour in reversed(current) if outcomes(hour))
            status = FindingStatus.BREACH
            sentence = (
                f"{what}: no output came {time}; there were {before} in the "
                f"{wording.length(last.window.start - current[0].window.start)} before. "
                f"Since {wording.moment(onset)}. Either there is no traffic, or the source does "
                "not deliver it, or these hours were not evaluated."
            )
        else:
            status, sentence = FindingStatus.NO_DATA, f"{what}: no output came {time} or before."
        return Finding(
            rule=self.name,
            series=last.series,
            segment=last.segment,
            window=last.window,
            status=status,
            sentence=sentence,
            onset=onset,
            numbers={"came": came, "before": before, "hours": self.hours / timedelta(hours=1)},
        )


def no_traffic(name: str, options: Mapping[str, Any]) -> AlertRule:
    """The no-traffic rule of the plan. Raises ConfigurationError for a wrong option."""
    read = read_options(NoTrafficOptions, name, options)
    return NoTraffic(name=name, hours=read.hours, history=read.hours + timedelta(hours=24))

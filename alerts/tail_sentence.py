"""What the tail-evidence rule says, in the words of people: since when, how many, how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import wording
from alerts.lines import Line
from alerts.percentiles import quantile
from tailwatch.alert import Direction, Quantile, ScoreSample, Segment
from tailwatch.evaluation import Series

_MUCH = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The evidence that raises an alert, and what it means in false alerts."""

    alert_at: float
    length: timedelta
    monitors: int

    def __str__(self) -> str:
        return (
            f"alert at {evidence_words(self.alert_at)} (budget: one false alert in "
            f"{_weeks(self.length)} over {self.monitors:,} monitors)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """The counts of an incident on its alerting line since its onset; all may be effective ones."""

    bad: float
    n: float
    usual: float
    tolerated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """An incident of one monitor. `lines` are the alerting lines of its cells; `before` is the
    tail (P10, or P90 where low is good) of the baseline and `now` are the outputs of the incident,
    None where they are not known; `most` is the
    segment that carries the excess with its bad outputs and its outputs.
    """

    series: Series
    segment: Segment
    direction: Direction
    onset: datetime
    until: datetime
    lines: Sequence[Line]
    excess: Excess
    evidence: float
    budget: Budget
    before: float | None = None
    now: ScoreSample | None = None
    most: tuple[Segment, float, float] | None = None
    unknown: bool = False
    """Whether the baseline does not have the segment."""

    def __str__(self) -> str:
        excess, since = self.excess, wording.moment(self.onset)
        n = wording.number(excess.n)
        baseline = "the project's baseline" if self.unknown else "the baseline"
        parts = [
            f"{wording.subject(self.series, self.segment)} regressed since about {since} "
            f"({wording.length(self.until - self.onset)}): {wording.number(excess.bad)} of {n} "
            f"scored outputs are {self._beyond()}; {baseline} has {wording.number(excess.usual)} "
            f"in {n} and up to {wording.number(excess.tolerated)} would be tolerated.",
            self._tails(),
            f"Evidence {evidence_words(self.evidence)}; {self.budget}.",
        ]
        if self.most is not None:
            segment, bad, of = self.most
            parts.append(
                f"Most affected: {wording.name(segment)}, {wording.number(bad)} of "
                f"{wording.number(of)}."
            )
        return " ".join(part for part in parts if part)

    def _beyond(self) -> str:
        higher = self.direction is Direction.HIGHER_IS_BETTER
        scores = sorted({line.score for line in self.lines})
        if len(scores) > 1:
            low, high = self._amount(scores[0]), self._amount(scores[-1])
            return f"beyond the line of their segment ({low} to {high})"
        inclusive = all(line.inclusive for line in self.lines)
        if inclusive:
            return f"{self._amount(scores[0])} or {'lower' if higher else 'higher'}"
        return f"{'below' if higher else 'above'} {self._amount(scores[0])}"

    def _tails(self) -> str:
        if self.now is None:
            return ""
        tail = tail_of(self.now, self.direction)
        if tail.value is None:
            return f"{wording.quantile(tail)}."
        return f"{self._moved(tail, tail.value)}{self._limits(tail)}."

    def _moved(self, tail: Quantile, value: float) -> str:
        name, now, usual = f"P{100 * tail.probability:g}", self._amount(value), self.before
        if usual is None:
            return f"{name} is {now}"
        if usual == value:
            return f"{name} is {now}, as in the baseline"
        return f"{name} {'fell' if value < usual else 'rose'} from {self._amount(usual)} to {now}"

    def _limits(self, tail: Quantile) -> str:
        if tail.low is None or tail.high is None:
            return ""
        return f" (95 % interval {self._amount(tail.low)} to {self._amount(tail.high)})"

    def _amount(self, value: float) -> str:
        return wording.amount(self.series, value)


def tail_of(sample: ScoreSample, direction: Direction) -> Quantile:
    """P10 of the scores, or P90 where lower is better, with its limits."""
    probability = 0.1 if direction is Direction.HIGHER_IS_BETTER else 0.9
    return quantile(sample.values, probability, sample.weights)


def evidence_words(value: float) -> str:
    """Such as `5,300`; what is beyond any doubt is not counted further."""
    return wording.number(value) if value < _MUCH else f"over {_MUCH:,.0f}"


def _weeks(length: timedelta) -> str:
    weeks = length / timedelta(weeks=1)
    return f"{weeks:g} week{'' if weeks == 1 else 's'}"

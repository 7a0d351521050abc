"""What the limit rule says, in the words of people: kept or not, how many, how sure, since when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts import wording
from alerts.tail_sentence import Budget, evidence_words
from tailwatch.alert import Direction, Quantile, Segment
from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNews:
    """How one monitor does against a given line.

    `bad` of `n` outputs are beyond `line`, where the share `share` is tolerated: of the time since
    the `onset` of an incident, or of all the `window` that was looked at. They are effective counts
    where scores have weights (`weighted`). `tail` is the percentile that the line is for, of an
    incident. `or_earlier`: it was so when the window began. `enough`: whether the `scored` outputs
    are enough to say anything; `effect`: see `alerts.limit_counts.design_effect`.
    """

    series: Series
    segment: Segment
    window: Window
    direction: Direction
    line: float
    share: float
    bad: float
    n: float
    scored: int
    skipped: int
    failed: int
    weighted: bool
    effect: float
    evidence: float
    budget: Budget
    onset: datetime | None
    or_earlier: bool
    tail: Quantile | None
    enough: bool

    @property
    def numbers(self) -> Mapping[str, float | int | None]:
        """The figures of the sentence."""
        return {
            "evidence": self.evidence,
            "alert_at": self.budget.alert_at,
            "monitors": self.budget.monitors,
            "bad": self.bad,
            "scored": self.n,
            "tolerated": self.share * self.n,
            "tolerated_share": self.share,
            "line": self.line,
            "design_effect": self.effect,
        }

    def __str__(self) -> str:
        what = wording.subject(self.series, self.segment)
        line = wording.amount(self.series, self.line)
        if not self.enough:
            return (
                f"{what}: too few scored outputs to compare with {line}: "
                f"{self.scored} ({self.skipped} skipped, {self.failed} failed)."
            )
        counted = (
            f"{wording.number(self.bad)} of {wording.number(self.n)} {self._outputs} "
            f"({wording.percent(self.bad / self.n)}) are {self._beyond} {line}"
        )
        tolerated = f"at most {wording.percent(self.share)} are tolerated"
        sure = f"Evidence {evidence_words(self.evidence)}; {self.budget}."
        if self.onset is None or self.tail is None:
            length = wording.length(self.window.end - self.window.start)
            return f"{what}: {counted} in the last {length}; {tolerated}. {sure}"
        about, earlier = ("", " or earlier") if self.or_earlier else ("about ", "")
        return (
            f"{what} is beyond its limit since {about}{wording.moment(self.onset)}{earlier} "
            f"({wording.length(self.window.end - self.onset)}): {counted}; {tolerated}. "
            f"{wording.quantile(self.tail, self.series)}. {sure}"
        )

    @property
    def _outputs(self) -> str:
        return "scored outputs" if not self.weighted else "scored outputs, by weight,"

    @property
    def _beyond(self) -> str:
        return "below" if self.direction is Direction.HIGHER_IS_BETTER else "above"

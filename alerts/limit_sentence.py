"""What the limit rule says, in the words of people: kept or not, how many, how sure, since when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts import wording
from alerts.percentiles import quantile
from alerts.tail_sentence import Budget, evidence_words
from tailwatch.alert import Direction, ScoreSample


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNews:
    """How one monitor does against a given line.

    `bad` of `n` outputs of `sample` are beyond `line`, where the share `share` is tolerated; they
    are effective counts where scores have weights. `sample` is the time since the `onset` of an
    incident, or all that was looked at. `or_earlier`: it was so when that began. `enough`: whether
    there are outputs enough to say anything.
    """

    sample: ScoreSample
    direction: Direction
    line: float
    share: float
    bad: float
    n: float
    evidence: float
    budget: Budget
    until: datetime
    onset: datetime | None
    or_earlier: bool
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
        }

    def __str__(self) -> str:
        series = self.sample.series
        what = wording.subject(series, self.sample.segment)
        line = wording.amount(series, self.line)
        if not self.enough:
            return (
                f"{what}: too few scored outputs to compare with {line}: "
                f"{len(self.sample.values)} ({self.sample.skipped} skipped, "
                f"{self.sample.failed} failed)."
            )
        counted = (
            f"{wording.number(self.bad)} of {wording.number(self.n)} {self._outputs} "
            f"({wording.percent(self.bad / self.n)}) are {self._beyond} {line}"
        )
        tolerated = f"at most {wording.percent(self.share)} are tolerated"
        sure = f"Evidence {evidence_words(self.evidence)}; {self.budget}."
        if self.onset is None:
            length = wording.length(self.sample.window.end - self.sample.window.start)
            return f"{what}: {counted} in the last {length}; {tolerated}. {sure}"
        about, earlier = ("", " or earlier") if self.or_earlier else ("about ", "")
        return (
            f"{what} is beyond its limit since {about}{wording.moment(self.onset)}{earlier} "
            f"({wording.length(self.until - self.onset)}): {counted}; {tolerated}. "
            f"{self._tail}. {sure}"
        )

    @property
    def _outputs(self) -> str:
        return "scored outputs" if self.sample.weights is None else "scored outputs, by weight,"

    @property
    def _beyond(self) -> str:
        return "below" if self.direction is Direction.HIGHER_IS_BETTER else "above"

    @property
    def _tail(self) -> str:
        higher = self.direction is Direction.HIGHER_IS_BETTER
        probability = self.share if higher else 1 - self.share
        found = quantile(self.sample.values, probability, self.sample.weights)
        return wording.quantile(found, self.sample.series)

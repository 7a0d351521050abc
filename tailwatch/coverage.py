"""The account of what became of every trace of an hour, evaluator by evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one evaluator did with one hour; the parts add up to the whole.

    listed   = eligible + waiting          waiting: not finished yet, and not given up on
    eligible = sampled + not sampled
    sampled  = scored + all of skipped + all of failed + unreadable

    `late` counts the sampled traces that were first seen after the hour's first evaluation,
    whichever of the runs since then found them.
    """

    series: Series
    window: Window
    listed: int
    eligible: int
    sampled: int
    scored: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    late: int = 0

    def __post_init__(self) -> None:
        ended = (
            self.scored + sum(self.skipped.values()) + sum(self.failed.values()) + self.unreadable
        )
        if ended != self.sampled or not self.sampled <= self.eligible <= self.listed:
            raise ValueError(
                f"coverage of {self.series} in {self.window} does not add up: "
                f"listed {self.listed}, eligible {self.eligible}, sampled {self.sampled}, "
                f"ended in an outcome {ended}"
            )

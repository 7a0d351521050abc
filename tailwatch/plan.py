"""The evaluation plan: what is evaluated, how much of it, and when to alert.

A plan is a validated value; `flows.plan_file` reads it from `tailwatch.yaml`. Addresses and secrets
are not part of it (see `tailwatch.settings`).
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tailwatch.alert_plan import AlertsPlan, DailyQuiet, NotifyPlan, RulePlan
from tailwatch.buckets import MOST_FLAGGED, SIGNALS
from tailwatch.judge_plan import (
    BATCH_PRICE_SHARE,
    MOST_USD,
    JudgePlan,
    PricePlan,
    SecondJudgePlan,
)
from tailwatch.plan_faults import FaultError, refuse_repeated, refuse_twins, refuse_unknown
from tailwatch.plan_values import Duration, PlanModel, duration
from tailwatch.privacy import PrivacyPlan
from tailwatch.sampling import DEFAULT_COHORT, SampleDesign
from tailwatch.trace import MEASURES, SEGMENT_FIELDS

__all__ = [
    "BATCH_PRICE_SHARE",
    "MOST_USD",
    "SHORTEST_MEMORY",
    "AlertsPlan",
    "CanaryPlan",
    "DailyQuiet",
    "Duration",
    "EvaluatorPlan",
    "FaultError",
    "JudgePlan",
    "KeepText",
    "NotifyPlan",
    "Plan",
    "PricePlan",
    "RetentionPlan",
    "RulePlan",
    "SamplingPlan",
    "SecondJudgePlan",
    "SourcePlan",
    "TelemetryPlan",
    "TimingPlan",
    "duration",
]
"""The plan's own names, wherever its parts are written, and none of what they are made of."""


class KeepText(StrEnum):
    """How much of a trace's text the results store keeps."""

    FULL = "full"
    EXCERPT = "excerpt"
    NONE = "none"


class SourcePlan(PlanModel):
    """Where the traces come from. `name` is part of every trace's key: never change it."""

    use: str
    name: str
    options: Mapping[str, Any] = Field(default_factory=dict)


class TimingPlan(PlanModel):
    """When an hour is evaluated.

    An hour is evaluated `settle` after its end; each run lists the hours of the last `look_back`
    again for traces that came late; a trace without an ended root waits `max_wait`, then goes in
    flagged; a run catches up on at most `catch_up` owed hours, newest first.
    """

    settle: Duration = timedelta(minutes=10)
    look_back: Duration = timedelta(hours=6)
    max_wait: Duration = timedelta(hours=1)
    catch_up: int = Field(default=24, ge=1, le=24 * 31)


class SamplingPlan(PlanModel):
    """How many traces an evaluator sees: a `rate`, a target `per_hour`, or (neither) all.

    `flagged_share` is the share of `per_hour` for flagged traces, if it is more than theirs of the
    traffic; `auto` learns it from last week.
    """

    rate: float | None = Field(default=None, gt=0, le=1)
    per_hour: int | None = Field(default=None, ge=1)
    cohort: str = DEFAULT_COHORT
    flagged_share: Literal["auto"] | Annotated[float, Field(ge=0, le=MOST_FLAGGED)] = "auto"

    def design(self) -> SampleDesign:
        return SampleDesign(
            rate=self.rate,
            per_hour=self.per_hour,
            cohort=self.cohort,
            flagged_share=None if self.flagged_share == "auto" else self.flagged_share,
        )


class EvaluatorPlan(PlanModel):
    """One evaluator by its name, such as `ndcg@10`, or by the path of a rubric file of your own."""

    use: str | None = None
    rubric: str | None = None
    options: Mapping[str, Any] = Field(default_factory=dict)
    sampling: SamplingPlan | None = None

    @model_validator(mode="after")
    def _one_of_use_and_rubric(self) -> "EvaluatorPlan":
        if (self.use is None) == (self.rubric is None):
            raise ValueError("an evaluator needs either `use` (its name) or `rubric` (a file)")
        return self


SHORTEST_MEMORY = timedelta(days=14)
"""Rules and baselines look back a week, and what they say must still be there to be looked at."""


class RetentionPlan(PlanModel):
    """How long the store remembers single traces; None is for ever. Summaries always stay.

    After `texts` the texts of traces go, with the explanations and messages that quote them; after
    `scores` the traces and their evaluations, and what canaries said about single items.
    """

    texts: Duration | None = Field(default=None, ge=timedelta(days=1))
    scores: Duration | None = Field(default=None, ge=SHORTEST_MEMORY)


class CanaryPlan(PlanModel):
    """On what, and whether, each judge is asked again every day.

    `golden` is a golden set of your own; the bundled one where none is named.
    """

    golden: str | None = None
    daily: bool = True


class TelemetryPlan(PlanModel):
    """Whether an OpenTelemetry collector is told; its address is in the environment alone.

    With `otlp` each new score goes there as an event and the figures of each hour as metrics.
    `failures` sends an event for each evaluation that failed, too. `explanations` adds the words
    of the judges to the events, as far as `keep_text` lets them be kept.
    """

    otlp: bool = False
    failures: bool = False
    explanations: bool = False


class Plan(PlanModel):
    """Everything that decides what a run does."""

    source: SourcePlan
    evaluators: tuple[EvaluatorPlan, ...] = Field(min_length=1)
    timing: TimingPlan = TimingPlan()
    sampling: SamplingPlan = SamplingPlan()
    judge: JudgePlan | None = None
    privacy: PrivacyPlan = PrivacyPlan()
    canary: CanaryPlan = CanaryPlan()
    qrels: str | None = None
    measures: tuple[str, ...] = (*MEASURES, "flagged")
    segments: tuple[str, ...] = ("feature", "model", "prompt_version", "environment")
    max_segment_values: int = Field(default=20, ge=1, le=1000)
    rules: tuple[RulePlan, ...] = ()
    alerts: AlertsPlan = AlertsPlan()
    notify: tuple[NotifyPlan, ...] = ()
    keep_text: KeepText = KeepText.FULL
    retention: RetentionPlan = RetentionPlan()
    telemetry: TelemetryPlan = TelemetryPlan()
    chunk_size: int = Field(default=500, ge=1, le=100_000)

    @model_validator(mode="after")
    def _known_measures_and_segments(self) -> "Plan":
        refuse_unknown("measure", ("measures",), self.measures, (*MEASURES, *SIGNALS))
        refuse_unknown("segment", ("segments",), self.segments, SEGMENT_FIELDS)
        for number, rule in enumerate(self.rules):
            refuse_unknown(
                f"segment of rule {rule.name or rule.use}",
                ("rules", number, "segments"),
                rule.segments or (),
                self.segments,
            )
        refuse_repeated("measures", self.measures)
        refuse_repeated("segments", self.segments)
        refuse_twins("rules", "rules", [rule.name or rule.use for rule in self.rules])
        names = [entry.destination for entry in self.notify]
        refuse_twins("entries of notify", "notify", names)
        return self

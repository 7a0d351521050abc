"""The evaluation plan: what is evaluated, how much of it, and when to alert.

A plan is a validated value; `flows.plan_file` reads it from `tailwatch.yaml`. Addresses and secrets
are not part of it (see `tailwatch.settings`).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    field_validator,
    model_validator,
)

from tailwatch.alert import Change, Severity
from tailwatch.buckets import MOST_FLAGGED, SIGNALS
from tailwatch.judge_calls import Caps
from tailwatch.privacy import PrivacyPlan
from tailwatch.quiet_hours import QuietHours, quiet_hours
from tailwatch.sampling import DEFAULT_COHORT, SampleDesign
from tailwatch.trace import MEASURES, SEGMENT_FIELDS

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(value: object) -> object:
    """A timedelta from text such as `90s`, `10m`, `6h`, `7d` or `2w`.

    Anything else is handed on. Raises ValueError for text of another form, and for a number other
    than 0, whose unit nobody knows.
    """
    if isinstance(value, int | float) and value:
        raise ValueError(f"{value!r} has no unit; write s, m, h, d or w after it, as in {value!r}m")
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(
            f"{value!r} is not a duration; write a number and s, m, h, d or w, as in 6h"
        )
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any calendar; write less") from None


Duration = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0))]
DailyQuiet = Annotated[InstanceOf[QuietHours], BeforeValidator(quiet_hours)]


BATCH_PRICE_SHARE = 0.5
"""What providers ask for a call in a batch, of its list price."""

MOST_USD = 1_000_000
"""More than anyone means to spend on a judge; the books count exactly up to nine times as much."""


class KeepText(StrEnum):
    """How much of a trace's text the results store keeps."""

    FULL = "full"
    EXCERPT = "excerpt"
    NONE = "none"


class _PlanModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePlan(_PlanModel):
    """Where the traces come from. `name` is part of every trace's key: never change it."""

    use: str
    name: str
    options: Mapping[str, Any] = Field(default_factory=dict)


class TimingPlan(_PlanModel):
    """When an hour is evaluated.

    An hour is evaluated `settle` after its end; each run lists the hours of the last `look_back`
    again for traces that came late; a trace without an ended root waits `max_wait`, then goes in
    flagged; a run catches up on at most `catch_up` owed hours, newest first.
    """

    settle: Duration = timedelta(minutes=10)
    look_back: Duration = timedelta(hours=6)
    max_wait: Duration = timedelta(hours=1)
    catch_up: int = Field(default=24, ge=1, le=24 * 31)


class SamplingPlan(_PlanModel):
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


class EvaluatorPlan(_PlanModel):
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


class PricePlan(_PlanModel):
    """The price of your own judge endpoint, in USD for a million tokens."""

    input_usd_per_million: float = Field(ge=0)
    output_usd_per_million: float = Field(ge=0)


class SecondJudgePlan(_PlanModel):
    """The model that judges in series of its own while the first one is down for a whole run.

    It may spend what the first one may, both together. The first one is asked again after
    `patience` before it counts as down.
    """

    model: str
    price: PricePlan | None = None
    patience: Duration = timedelta(seconds=10)


class JudgePlan(_PlanModel):
    """The model that answers the rubrics, and what may be spent on it.

    Each cap is a hard one: the worst case of each call is reserved before it is made.
    `max_cost_usd` is that of a run, `max_cost_usd_per_day` that of all runs of a UTC day, and
    `max_cost_usd_of` that of a rubric, by its name, in a run. A verdict on exactly the same
    question is used again for as long as `reuse`; 0 asks again. Questions in batches cost
    `batch_price_share` of the list price; a backfill with more than `batch_over` questions goes in
    batches by itself, where that is set. One that may cost more than `ask_above_usd` asks first.

    At most `concurrency` calls are open at once, fewer while the endpoint refuses calls or answers
    late; `requests_per_minute` and `tokens_per_minute` are what this process asks for at the most.
    """

    model: str
    max_cost_usd: float = Field(default=1.0, gt=0, le=MOST_USD)
    max_cost_usd_per_day: float | None = Field(default=None, gt=0, le=MOST_USD)
    max_cost_usd_of: Mapping[str, Annotated[float, Field(gt=0, le=MOST_USD)]] = Field(
        default_factory=dict
    )
    reuse: Duration = timedelta(days=30)
    batch_price_share: float = Field(default=BATCH_PRICE_SHARE, gt=0, le=1)
    batch_over: int | None = Field(default=None, ge=0)
    ask_above_usd: float = Field(default=1.0, ge=0, le=MOST_USD)
    concurrency: int = Field(default=16, ge=1, le=1024)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    timeout: Duration = timedelta(seconds=60)
    max_material_chars: int = Field(default=24_000, ge=500)
    price: PricePlan | None = None
    second: SecondJudgePlan | None = None

    @property
    def caps(self) -> Caps:
        return Caps(
            run_usd=self.max_cost_usd,
            day_usd=self.max_cost_usd_per_day,
            evaluator_usd=self.max_cost_usd_of,
        )


class RulePlan(_PlanModel):
    """One alert rule, applied to every named series in all traffic and in the named segments.

    `series` are evaluator or measure names (`*` is all of them); `segments` are trace fields and
    default to the plan's own.
    """

    use: str
    name: str | None = None
    series: tuple[str, ...] = ("*",)
    segments: tuple[str, ...] | None = None
    severity: Severity = Severity.ERROR
    options: Mapping[str, Any] = Field(default_factory=dict)


class NotifyPlan(_PlanModel):
    """One place that messages about alerts go to.

    `url_env` and `key_env` name the environment variables that hold its secrets. `on` are the
    changes it is told of and `least_severity` the least urgent alerts. In its `quiet_hours`
    messages wait; with `even_at_night` those of critical alerts do not. Another `name` is another
    destination, which is told everything anew.
    """

    use: str
    name: str | None = None
    url_env: str | None = None
    key_env: str | None = None
    on: tuple[Change, ...] = Field(
        default=(Change.OPENED, Change.ATTACHED, Change.REOPENED, Change.RESOLVED), min_length=1
    )
    least_severity: Severity = Severity.INFO
    quiet_hours: DailyQuiet | None = None
    even_at_night: bool = False
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("url_env", "key_env")
    @classmethod
    def _a_variable_and_no_secret(cls, value: str | None) -> str | None:
        if value is not None and _VARIABLE.fullmatch(value) is None:
            # The value is not repeated: whoever put the secret itself here shall not see it logged.
            raise ValueError(
                "must be the name of an environment variable, such as TAILWATCH_SLACK_URL; the "
                "secret itself belongs in the environment"
            )
        return value

    @property
    def destination(self) -> str:
        return self.name or self.use


class AlertsPlan(_PlanModel):
    """How often tailwatch may be wrong: one false alert in so many weeks, over all its monitors."""

    false_alarm_weeks: float = Field(default=4, gt=0, le=520)


SHORTEST_MEMORY = timedelta(days=14)
"""Rules and baselines look back a week, and what they say must still be there to be looked at."""


class RetentionPlan(_PlanModel):
    """How long the store remembers single traces; None is for ever. Summaries always stay.

    After `texts` the texts of traces go, with the explanations and messages that quote them; after
    `scores` the traces and their evaluations, and what canaries said about single items.
    """

    texts: Duration | None = Field(default=None, ge=timedelta(days=1))
    scores: Duration | None = Field(default=None, ge=SHORTEST_MEMORY)


class CanaryPlan(_PlanModel):
    """On what, and whether, each judge is asked again every day.

    `golden` is a golden set of your own; the bundled one where none is named.
    """

    golden: str | None = None
    daily: bool = True


class TelemetryPlan(_PlanModel):
    """Whether an OpenTelemetry collector is told; its address is in the environment alone.

    With `otlp` each new score goes there as an event and the figures of each hour as metrics.
    `failures` sends an event for each evaluation that failed, too. `explanations` adds the words
    of the judges to the events, as far as `keep_text` lets them be kept.
    """

    otlp: bool = False
    failures: bool = False
    explanations: bool = False


class Plan(_PlanModel):
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
        _refuse_unknown("measure", ("measures",), self.measures, (*MEASURES, *SIGNALS))
        _refuse_unknown("segment", ("segments",), self.segments, SEGMENT_FIELDS)
        for number, rule in enumerate(self.rules):
            _refuse_unknown(
                f"segment of rule {rule.name or rule.use}",
                ("rules", number, "segments"),
                rule.segments or (),
                self.segments,
            )
        _refuse_repeated("measures", self.measures)
        _refuse_repeated("segments", self.segments)
        _refuse_twins("rules", "rules", [rule.name or rule.use for rule in self.rules])
        names = [entry.destination for entry in self.notify]
        _refuse_twins("entries of notify", "notify", names)
        return self


class FaultError(ValueError):
    """What is wrong between parts of a plan that are fine by themselves, and where to mend it."""

    def __init__(self, message: str, location: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.location = location


def _refuse_twins(kind: str, setting: str, names: list[str]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"two {kind} are called {name!r}; give each its own `name`"
            raise FaultError(message, (setting, number))


def _refuse_repeated(setting: str, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"{name!r} is twice among the {setting}; keep one"
            raise FaultError(message, (setting, number))


def _refuse_unknown(
    kind: str, where: tuple[str | int, ...], given: tuple[str, ...], known: tuple[str, ...]
) -> None:
    for number, name in enumerate(given):
        if name not in known:
            message = f"{name!r} is not a {kind}; known: {', '.join(known)}"
            raise FaultError(message, (*where, number))

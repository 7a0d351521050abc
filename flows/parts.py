"""What a run works with, as values: built by `flows.wiring`, or by a test."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from storage.store import Store
from tailwatch.alert import Direction, Severity
from tailwatch.evaluation import Series
from tailwatch.judge_calls import Caps
from tailwatch.outcome import Failed
from tailwatch.plan import NotifyPlan, Plan, RulePlan
from tailwatch.protocols import AlertMessage, AlertRule, Evaluator, Notifier, TraceSource
from tailwatch.sampling import SampleDesign


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvaluator:
    """An evaluator and how much of the traffic it sees.

    One that asks a second judge names the first one's series that it stands in for.
    """

    evaluator: Evaluator
    design: SampleDesign
    stands_in_for: Series | None = None

    @property
    def series(self) -> Series:
        return Series(
            evaluator=self.evaluator.name,
            version=self.evaluator.version,
            judge=self.evaluator.judge,
        )

    @property
    def configured(self) -> bool:
        """Whether it has what it needs, such as a judge; one that does not tell is taken to."""
        return bool(getattr(self.evaluator, "configured", True))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRule:
    """An alert rule with the series and the segments it watches."""

    rule: AlertRule
    plan: RulePlan
    segments: tuple[str, ...]

    def watches(self, series: Series) -> bool:
        return "*" in self.plan.series or series.evaluator in self.plan.series


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A place that messages about alerts go to, and what it wants to be told."""

    plan: NotifyPlan
    notifier: Notifier

    @property
    def name(self) -> str:
        return self.plan.destination

    def wants(self, message: AlertMessage) -> bool:
        """Whether the plan has it told of such a change."""
        urgent = message.severity.rank >= self.plan.least_severity.rank
        return urgent and message.change in self.plan.on

    def disturbed_by(self, now: datetime) -> list[Severity]:
        """How urgent an alert may be now; all that is not among these waits."""
        if self.plan.quiet_hours is None or now not in self.plan.quiet_hours:
            return list(Severity)
        return [Severity.CRITICAL] if self.plan.even_at_night else []


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTerms:
    """Which model judges, what may be spent on it, and what one call costs at the most.

    `others_usd` has what one call of each other model costs at the most, a second judge's.
    `spent_usd` says what was spent so far, also on calls whose outcome was never recorded.
    `begin` is told the id of the run that asks from now on, and whether it asks again what was
    asked before.
    """

    model: str
    caps: Caps
    worst_case_usd: float
    spent_usd: Callable[[], float]
    begin: Callable[[str, bool], None]
    others_usd: Mapping[str, float] = field(default_factory=dict)

    def worst_case_of(self, model: str) -> float:
        """What one call of that model costs at the most."""
        return self.others_usd.get(model, self.worst_case_usd)


WhyDown = Callable[[], Awaitable[Failed | None]]
"""Why a judge can answer nothing now; None where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A judge that stands in for the first one, and how to change over to it.

    `first_down` and `down` ask each of the two; `take_over` takes the first one out of service for
    the rest of the run, with the failure that each of its questions has from then on.
    """

    first: str
    model: str
    evaluators: tuple[PlannedEvaluator, ...]
    first_down: WhyDown
    down: WhyDown
    take_over: Callable[[Failed], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a run works with."""

    plan: Plan
    source: TraceSource
    evaluators: tuple[PlannedEvaluator, ...]
    rules: tuple[PlannedRule, ...]
    judge: JudgeTerms | None
    store: Store
    destinations: tuple[Destination, ...] = ()
    partial: bool = False
    """Only some of the plan's evaluators: an hour evaluated so is not finished."""
    stand_in: StandIn | None = None

    @property
    def all_evaluators(self) -> Sequence[PlannedEvaluator]:
        """With those that may stand in, whether they do so now or not."""
        more = self.stand_in.evaluators if self.stand_in else ()
        known = {planned.series for planned in self.evaluators}
        return [*self.evaluators, *(each for each in more if each.series not in known)]

    @property
    def directions(self) -> Mapping[Series, Direction]:
        """Every series of the plan, evaluators' and measures', with its good direction."""
        return directions_of(self.plan, self.all_evaluators)


def measure_series(measure: str) -> Series:
    """The series of an operational measure, such as `latency_ms`."""
    return Series(evaluator=measure, version="1")


def directions_of(plan: Plan, evaluators: Sequence[PlannedEvaluator]) -> Mapping[Series, Direction]:
    """Every series of these evaluators and of the plan's measures, with its good direction."""
    scored = {e.series: e.evaluator.direction for e in evaluators}
    measured = {measure_series(m): Direction.LOWER_IS_BETTER for m in plan.measures}
    return {**scored, **measured}

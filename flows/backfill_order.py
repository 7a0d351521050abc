"""What somebody asks of a backfill, as the ledger keeps it for every worker, and back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.backfill_plan import Only, redo_for, with_evaluators
from flows.evaluate_window import Redo
from flows.narrowing import WHOLE_HOURS, Narrowing, parse_segment
from flows.parts import Parts
from flows.plan_file import PlanFile
from storage.claim_records import BackfillJob, BackfillOrder
from storage.records import RecordedOutcome
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """The hours, and what to evaluate of them. `budget_usd` stands for the plan's cap of a run."""

    window: Window
    evaluators: Sequence[str] = ()
    only: Only = Only.MISSING
    narrowing: Narrowing = WHOLE_HOURS
    budget_usd: float | None = None

    @classmethod
    def of(
        cls,
        window: Window,
        *,
        evaluators: Collection[str] = (),
        only: Only = Only.MISSING,
        segment: str | None = None,
        max_traces: int | None = None,
        budget_usd: float | None = None,
    ) -> "BackfillRequest":
        """The request in the words of the command and the form. Raises ConfigurationError."""
        if max_traces is not None and max_traces < 1:
            raise ConfigurationError(f"max_traces is {max_traces}; it must be 1 or more")
        if budget_usd is not None and budget_usd <= 0:
            raise ConfigurationError(f"the budget is {budget_usd} USD; it must be above 0")
        narrowing = Narrowing(
            segment=parse_segment(segment) if segment else None,
            most=max_traces,
            other_version=only is Only.VERSION_CHANGED,
        )
        return cls(
            window=window,
            evaluators=tuple(evaluators),
            only=only,
            narrowing=narrowing,
            budget_usd=budget_usd,
        )

    def __str__(self) -> str:
        part = [
            str(self.narrowing.segment) if self.narrowing.segment else "",
            f"{self.narrowing.most} traces an hour" if self.narrowing.most else "",
        ]
        return ", ".join(filter(None, (str(self.window), f"only {self.only.value}", *part)))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """What a job wants of each of its hours; `run_id` is the run of all of its workers together."""

    run_id: str
    redo: Redo
    ask_again: bool
    narrowing: Narrowing


def order_of(request: BackfillRequest, parts: Parts) -> BackfillOrder:
    """The order for the evaluators of these parts."""
    return BackfillOrder(
        source=parts.source.name,
        window=request.window,
        what={
            "series": sorted(
                [p.series.evaluator, p.series.version, p.series.judge] for p in parts.evaluators
            ),
            "only": request.only.value,
            "segment": str(request.narrowing.segment) if request.narrowing.segment else None,
            "max_traces": request.narrowing.most,
        },
        # what a sample of so many an hour goes by is learned from the week before
        days_in_order=any(planned.design.per_hour is not None for planned in parts.evaluators),
        budget_usd=request.budget_usd,
    )


def chosen_parts(request: BackfillRequest, whole: Parts) -> Parts:
    """The parts with the evaluators that are asked for. Raises ConfigurationError."""
    return with_evaluators(whole, request.evaluators)


def parts_for(job: BackfillJob, whole: Parts) -> Parts:
    """The parts with the job's series alone.

    Raises ConfigurationError where this plan does not have one of them: scores of another version
    must not pass for it.
    """
    if job.order.source != whole.source.name:
        raise ConfigurationError(
            f"the backfill {job.job_id} is of the source {job.order.source!r}, and this worker's "
            f"plan has {whole.source.name!r}: give every worker the same plan"
        )
    wanted = {
        Series(evaluator=evaluator, version=version, judge=judge)
        for evaluator, version, judge in job.order.what["series"]
    }
    chosen = tuple(p for p in whole.evaluators if p.series in wanted)
    missing = wanted - {planned.series for planned in chosen}
    if missing:
        raise ConfigurationError(
            f"the backfill {job.job_id} evaluates {', '.join(sorted(map(str, missing)))}, which "
            "this worker's plan does not have: give every worker the same plan and environment"
        )
    return replace(whole, evaluators=chosen, partial=len(chosen) < len(whole.evaluators))


def terms_of_job(job: BackfillJob) -> JobTerms:
    """What every worker goes by; what the job itself recorded is not made again."""
    what: dict[str, Any] = dict(job.order.what)
    only = Only(what["only"])
    wanted = redo_for(only)

    def redo(recorded: RecordedOutcome) -> bool:
        return recorded.run_id != job.job_id and wanted(recorded)

    return JobTerms(
        run_id=job.job_id,
        redo=redo,
        ask_again=only is Only.EVERYTHING,
        narrowing=Narrowing(
            segment=parse_segment(what["segment"]) if what["segment"] else None,
            most=what["max_traces"],
            other_version=only is Only.VERSION_CHANGED,
        ),
    )


def with_budget(plan_file: PlanFile, budget_usd: float | None) -> PlanFile:
    """The plan with another cap of a run; its caps of a day and of rubrics stay."""
    judge = plan_file.plan.judge
    if budget_usd is None or judge is None:
        return plan_file
    capped = judge.model_copy(update={"max_cost_usd": budget_usd})
    return replace(plan_file, plan=plan_file.plan.model_copy(update={"judge": capped}))

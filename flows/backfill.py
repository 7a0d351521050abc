"""The backfill as a Prefect flow: a range of past hours, by hand, from the command or the form."""

from datetime import UTC, datetime

from prefect import flow
from prefect.logging import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.artifacts import (
    leave_backfill_artifacts,
    leave_batch_artifact,
    leave_estimate_artifact,
)
from flows.backfill_order import BackfillRequest, chosen_parts, with_budget
from flows.backfill_plan import Estimate, Only, estimate, redo_for
from flows.batch_wiring import Setting, backfill_in_batches, chooses_batches
from flows.chunk_task import run_chunk_as_task
from flows.driving import Ears, drive
from flows.engines.crew import Crew, Engine
from flows.plan_file import read_plan
from flows.sharing import Heard
from flows.trust import run_trust
from flows.wiring import open_parts
from tailwatch.errors import ConfigurationError, TailwatchError
from tailwatch.settings import Settings
from tailwatch.window import Window


class BackfillRange(BaseModel):
    """The hours to evaluate: from the one that contains `start` up to `end`."""

    model_config = ConfigDict(extra="forbid")

    start: datetime = Field(description="First hour, UTC unless a zone is given")
    end: datetime = Field(description="End of the last hour, UTC unless a zone is given")

    @model_validator(mode="after")
    def _start_before_end(self) -> "BackfillRange":
        self.window()
        return self

    def window(self) -> Window:
        """The range in UTC. Raises ValueError when it does not end after its start."""
        start, end = (
            moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            for moment in (self.start, self.end)
        )
        return Window(start, end)


@flow(name="backfill")
async def backfill(
    window: BackfillRange,
    evaluators: list[str] | None = None,
    only: Only = Only.MISSING,
    dry_run: bool = False,
    batch: bool | None = None,
    segment: str | None = None,
    max_traces: int | None = None,
    budget: float | None = None,
    yes: bool = False,
    engine: Engine = Engine.LOCAL,
    workers: int | None = None,
    dask_address: str | None = None,
) -> dict[str, int]:
    """Evaluates past hours again, oldest first: after a rubric, a model or an evaluator changed.

    Args:
        window: the hours to evaluate
        evaluators: names from the plan; empty for all of them
        only: which evaluations to make; `missing` makes none that is already there,
            `version_changed` those that another version of the evaluator was given, `everything`
            asks judges again, and pays again, also for questions whose verdict is known
        dry_run: say how many hours, traces and evaluations it would be and what it would cost
        batch: put the judge's questions into batches, at a part of the price, answered within a
            day; empty for the plan's own choice (judge.batch_over)
        segment: only these traces, such as feature=search
        max_traces: of each hour's sample at most so many, always the same ones
        budget: what judges may cost in all, USD; empty for the plan's cap of a run
        yes: do it also where it may cost more than judge.ask_above_usd
        engine: who does it, this run, a Dask cluster, or more runs of the work pool
        workers: how many workers an engine has; empty for all of the cluster, or 2 runs
        dask_address: the scheduler of the Dask cluster, such as tcp://scheduler:8786
    """
    settings = Settings()
    plan_file = with_budget(read_plan(settings.plan), budget)
    setting = Setting(
        plan_file=plan_file, settings=settings, clock=_now, run_chunk=run_chunk_as_task
    )
    request = BackfillRequest.of(
        window.window(),
        evaluators=evaluators or (),
        only=only,
        segment=segment,
        max_traces=max_traces,
        budget_usd=budget,
    )
    crew = Crew(engine=engine, workers=workers, dask_address=dask_address)
    crew.check_store(settings.store)
    if dry_run or (not yes and _may_cost(setting)):
        counted = await _counted(setting, request)
        if dry_run:
            await leave_estimate_artifact(counted)
            return counted.evaluations
        _refuse_costly(setting, counted)
    plain = not request.narrowing and engine is Engine.LOCAL
    if batch is None and plain:
        batch = await chooses_batches(setting, request.window, request.evaluators, only)
    if batch and plain:
        progress = await backfill_in_batches(setting, request.window, request.evaluators, only)
        await leave_batch_artifact([progress])
        return progress.report.counts if progress.report else {}
    return await _driven(setting, request, crew)


async def _driven(setting: Setting, request: BackfillRequest, crew: Crew) -> dict[str, int]:
    log = get_run_logger()
    heard = Heard(on_window=lambda w: log.info("%s: %d traces listed", w.window, w.listed))
    report = await drive(setting, request, crew, Ears(here=heard))
    async with open_parts(setting.plan_file, setting.settings) as parts:
        trust = run_trust(
            chosen_parts(request, parts), (c for w in report.here for c in w.coverage)
        )
    await leave_backfill_artifacts(report, trust)
    if report.trouble is not None:
        raise TailwatchError(report.trouble)
    return report.counts


async def _counted(setting: Setting, request: BackfillRequest) -> Estimate:
    async with open_parts(setting.plan_file, setting.settings) as whole:
        parts = chosen_parts(request, whole)
        hours = list(request.window.hours())
        redo = redo_for(request.only)
        return await estimate(parts, hours, redo, _now(), narrowing=request.narrowing)


def _may_cost(setting: Setting) -> bool:
    """Whether the cap of a run lets it cost more than is done without a question."""
    plan = setting.plan_file.plan.judge
    return plan is not None and plan.max_cost_usd > plan.ask_above_usd


def _refuse_costly(setting: Setting, counted: Estimate) -> None:
    plan = setting.plan_file.plan.judge
    if plan is not None and counted.likely_usd > plan.ask_above_usd:
        raise ConfigurationError(
            f"it may cost {counted.likely_usd:.2f} USD, more than judge.ask_above_usd "
            f"({plan.ask_above_usd:.2f}): set `yes`, or cap it with `budget`"
        )


def _now() -> datetime:
    return datetime.now(UTC)

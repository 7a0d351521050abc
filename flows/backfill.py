"""The backfill as a Prefect flow: a range of past hours, by hand, from the command or the form."""

from datetime import UTC, datetime

from prefect import flow, runtime
from prefect.logging import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.artifacts import leave_batch_artifact, leave_estimate_artifact, leave_run_artifacts
from flows.backfill_plan import Only, estimate, redo_for, with_evaluators
from flows.batch_wiring import Setting, backfill_in_batches, chooses_batches
from flows.chunk_task import run_chunk_as_task
from flows.plan_file import read_plan
from flows.runs import run_windows
from flows.wiring import open_parts
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
) -> dict[str, int]:
    """Evaluates past hours again, oldest first: after a rubric, a model or an evaluator changed.

    Args:
        window: the hours to evaluate
        evaluators: names from the plan; empty for all of them
        only: which evaluations to make; `missing` makes none that is already there, `everything`
            asks judges again, and pays again, also for questions whose verdict is known
        dry_run: say how many hours, traces and evaluations it would be and what it would cost
        batch: put the judge's questions into batches, at a part of the price, answered within a
            day; empty for the plan's own choice (judge.batch_over)
    """
    log = get_run_logger()
    settings = Settings()
    plan_file = read_plan(settings.plan)
    names = evaluators or ()
    setting = Setting(
        plan_file=plan_file, settings=settings, clock=_now, run_chunk=run_chunk_as_task
    )
    if batch is None and not dry_run:
        batch = await chooses_batches(setting, window.window(), names, only)
    if batch and not dry_run:
        progress = await backfill_in_batches(setting, window.window(), names, only)
        await leave_batch_artifact([progress])
        return progress.report.counts if progress.report else {}
    async with open_parts(plan_file, settings) as whole:
        parts = with_evaluators(whole, names)
        hours = list(window.window().hours())
        if dry_run:
            counted = await estimate(parts, hours, redo_for(only), _now())
            await leave_estimate_artifact(counted)
            return counted.evaluations
        report = await run_windows(
            parts,
            hours,
            kind="backfill",
            run_id=str(runtime.flow_run.id),
            clock=_now,
            detail=f"{window.window()}, only {only.value}",
            redo=redo_for(only),
            ask_again=only is Only.EVERYTHING,
            run_chunk=run_chunk_as_task,
            on_window=lambda w: log.info("%s: %d traces listed", w.window, w.listed),
        )
    await leave_run_artifacts("backfill", report)
    return report.counts


def _now() -> datetime:
    return datetime.now(UTC)

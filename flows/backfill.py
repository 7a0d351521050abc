"""The backfill as a Prefect flow: a range of past hours, by hand, from the command or the form."""

from datetime import UTC, datetime

from prefect import flow, runtime
from prefect.logging import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.artifacts import leave_estimate_artifact, leave_run_artifacts
from flows.backfill_plan import Only, estimate, redo_for, with_evaluators
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
) -> dict[str, int]:
    """Evaluates past hours again, oldest first: after a rubric, a model or an evaluator changed.

    Args:
        window: the hours to evaluate
        evaluators: names from the plan; empty for all of them
        only: which evaluations to make; `missing` makes none that is already there, `everything`
            asks judges again, and pays again, also for questions whose verdict is known
        dry_run: say how many hours, traces and evaluations it would be and what it would cost
    """
    log = get_run_logger()
    settings = Settings()
    async with open_parts(read_plan(settings.plan), settings) as whole:
        parts = with_evaluators(whole, evaluators or ())
        hours = list(window.window().hours())
        if dry_run:
            counted = await estimate(parts, hours, redo_for(only), datetime.now(UTC))
            await leave_estimate_artifact(counted)
            return counted.evaluations
        report = await run_windows(
            parts,
            hours,
            kind="backfill",
            run_id=str(runtime.flow_run.id),
            clock=lambda: datetime.now(UTC),
            detail=f"{window.window()}, only {only.value}",
            redo=redo_for(only),
            ask_again=only is Only.EVERYTHING,
            run_chunk=run_chunk_as_task,
            on_window=lambda w: log.info("%s: %d traces listed", w.window, w.listed),
        )
    await leave_run_artifacts("backfill", report)
    return report.counts

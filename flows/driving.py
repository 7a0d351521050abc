"""A backfill from its start to its end, whoever does the work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from flows.backfill_order import BackfillRequest, chosen_parts, order_of, with_budget
from flows.batch_wiring import Setting
from flows.engines.crew import Crew, Engine, OnLedger, Watch
from flows.engines.dask import run_on_dask
from flows.engines.prefect_runs import run_on_prefect
from flows.evaluate_window import WindowReport
from flows.parts import Parts
from flows.sharing import Heard, close_if_over, run_counts, work_on
from flows.wiring import open_parts
from storage.claim_records import BackfillJob, JobProgress
from storage.records import RunRecord
from tailwatch.errors import TailwatchError

STOPPED = "stopped before its end; the same backfill, started again, goes on"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """A backfill as its ledger has it, and the hours that this process did of it."""

    job: BackfillJob
    progress: JobProgress
    here: list[WindowReport]

    @property
    def counts(self) -> dict[str, int]:
        """Totals over the job, whoever did it, named as those of a run."""
        return run_counts(self.progress.counts)

    @property
    def trouble(self) -> str | None:
        """What hours failed, in a sentence."""
        failed = [each for each in self.progress.troubles if each.state == "failed"]
        if not failed:
            return None
        number, total = self.progress.failed, self.progress.total
        return (
            f"{number} of {total} hours could not be evaluated, the first of them "
            f"{failed[0].window}: {failed[0].error}; the same command tries them again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who is told how far a backfill is: by this process, hour by hour, and by the ledger."""

    here: Heard = field(default_factory=Heard)
    ledger: OnLedger = lambda _: None


async def drive(
    setting: Setting, request: BackfillRequest, crew: Crew, ears: Ears
) -> BackfillReport:
    """Starts that backfill, or goes on with it, and returns when none of its hours is left.

    Stopped before, it is left as it is, for the same request to go on with. Raises
    ConfigurationError, SourceError and StoreError, and what the engine raises.
    """
    crew.check_store(setting.settings.store)
    plan_file = with_budget(setting.plan_file, request.budget_usd)
    async with open_parts(plan_file, setting.settings) as whole:
        parts, store = chosen_parts(request, whole), whole.store
        job = store.open_backfill(order_of(request, parts), setting.clock())
        store.start_run(
            RunRecord(
                run_id=job.job_id,
                kind="backfill",
                started_at=job.started_at,
                detail=f"{request}; {crew.engine.value}",
            )
        )
        store.mark_lost_calls(setting.clock())
        watch = Watch(store=store, job_id=job.job_id, hear=ears.ledger)
        windows: list[WindowReport] = []
        async with _left_resumable(setting, parts, job, crew):
            if crew.engine is Engine.DASK:
                await run_on_dask(crew.dask_address or "", watch, crew.workers)
            elif crew.engine is Engine.PREFECT:
                await run_on_prefect(watch, crew.workers)
            else:
                windows = await work_on(
                    parts, job, clock=setting.clock, run_chunk=setting.run_chunk, heard=ears.here
                )
        progress = close_if_over(store, job, setting.clock)
        job = store.backfill_job(job.job_id) or job
        return BackfillReport(job=job, progress=progress, here=windows)


@asynccontextmanager
async def _left_resumable(
    setting: Setting, parts: Parts, job: BackfillJob, crew: Crew
) -> AsyncIterator[None]:
    """Whoever drives others and is stopped stops them too: they finish the hour they are at."""
    try:
        yield
    except BaseException as error:
        by_hand = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        said = STOPPED if by_hand else f"{type(error).__name__}: {error}"[:500]
        with suppress(TailwatchError):
            if crew.engine is not Engine.LOCAL:
                parts.store.set_backfill(job.job_id, "stopped")
            progress = parts.store.backfill_progress(job.job_id)
            if crew.engine is not Engine.LOCAL or not progress.holders:
                parts.store.finish_run(
                    job.job_id,
                    ended_at=setting.clock(),
                    status="failed",
                    error=said,
                    counts=run_counts(progress.counts),
                    cost_usd=progress.cost_usd,
                )
        raise

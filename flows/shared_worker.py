"""A worker of a shared backfill, on whatever machine: its plan, store and keys are those of its own
environment, so that none of them travels.
"""

import asyncio
from datetime import UTC, datetime

from flows.backfill_order import parts_for, with_budget
from flows.chunks import Clock, RunChunk, evaluate_chunk
from flows.plan_file import read_plan
from flows.sharing import close_if_over, work_on
from flows.wiring import open_parts, opened_store
from storage.claim_records import BackfillJob
from storage.store import Store
from tailwatch.errors import ConfigurationError, TailwatchError
from tailwatch.settings import Settings


async def work_on_job(job_id: str, run_chunk: RunChunk = evaluate_chunk) -> int:
    """How many hours of the job this worker did; returns when none is left.

    Raises ConfigurationError where the environment here is not that of the job, SourceError and
    StoreError.
    """
    settings = Settings()
    plan_file = read_plan(settings.plan)
    with opened_store(settings, plan_file.plan) as store:
        store.check_schema()
        job = _known(store, job_id)
    async with open_parts(with_budget(plan_file, job.order.budget_usd), settings) as whole:
        clock = _clock_of(whole.store)
        reports = await work_on(parts_for(job, whole), job, clock=clock, run_chunk=run_chunk)
        close_if_over(whole.store, job, clock)
        return len(reports)


def work(job_id: str) -> str | None:
    """Does the work; what went wrong, in a sentence, if anything did: plain values travel."""
    try:
        asyncio.run(work_on_job(job_id))
    except TailwatchError as error:
        return str(error)
    return None


def _known(store: Store, job_id: str) -> BackfillJob:
    job = store.backfill_job(job_id)
    if job is None:
        raise ConfigurationError(
            f"the results store of this worker has no backfill {job_id}: set TAILWATCH_STORE_URL "
            "to that of the command that started it"
        )
    return job


def _clock_of(store: Store) -> Clock:
    """The present by the store's clock: the later of two machines' outcomes must look later."""
    ahead = store.database_time() - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead

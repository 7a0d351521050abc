"""Looking after the backfills in batches, as a Prefect flow."""

from datetime import UTC, datetime

from prefect import flow

from flows.artifacts import leave_batch_artifact
from flows.batch_wiring import Setting, collect_batches
from flows.chunk_task import run_chunk_as_task
from flows.plan_file import read_plan
from tailwatch.settings import Settings


@flow(name="collect-batches")
async def collect_all_batches() -> int:
    """Records what batches have answered, submits what is owed, and says how many still wait."""
    settings = Settings()
    setting = Setting(
        plan_file=read_plan(settings.plan),
        settings=settings,
        clock=lambda: datetime.now(UTC),
        run_chunk=run_chunk_as_task,
    )
    advanced = await collect_batches(setting)
    await leave_batch_artifact(advanced)
    return sum(not progress.job.over for progress in advanced)

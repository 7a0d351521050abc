"""One worker of a shared backfill as a Prefect flow: `backfill --engine prefect` starts some."""

from prefect import flow

from flows.shared_worker import work_on_job


@flow(name="share-backfill")
async def share_backfill(job_id: str) -> int:
    """Evaluates hours of the job until none is left; how many it did.

    Args:
        job_id: the backfill, as `tailwatch jobs` lists it
    """
    return await work_on_job(job_id)

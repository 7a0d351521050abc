"""Workers of a shared backfill in processes of their own."""

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from flows.backfill_order import BackfillRequest, order_of, parts_for
from flows.plan_file import read_plan
from flows.sharing import close_if_over, work_on
from flows.wiring import open_parts
from storage.claim_records import BackfillJob, Claim
from storage.store import Store
from tests.survival.story import DAY, HOURS, Project

ROOT = Path(__file__).resolve().parents[2]
TEST = "the test"
"""The holder of what a test keeps from the workers."""


def environment_of(project: Project) -> dict[str, str]:
    """The environment of a command or a worker: its plan and its store."""
    return dict(os.environ) | {
        "TAILWATCH_HOME": str(project.folder / "home"),
        "TAILWATCH_PLAN": str(project.folder / "tailwatch.yaml"),
        "TAILWATCH_STORE_URL": project.store_url,
        "PYTHONPATH": str(ROOT),
    }


def now() -> datetime:
    return datetime.now(UTC)


def begun(store: Store, project: Project) -> BackfillJob:
    """The job of a backfill over all hours, with nobody at work on it."""

    async def work() -> BackfillJob:
        settings = project.settings()
        async with open_parts(read_plan(settings.plan), settings) as parts:
            return store.open_backfill(order_of(BackfillRequest(window=DAY), parts), now())

    return asyncio.run(work())


def begun_but_for_an_hour(store: Store, project: Project) -> tuple[BackfillJob, Claim]:
    """The job, and a claim on its last hour: until that is given back the job cannot be over,
    however quick its workers and however late who watches them.
    """
    job = begun(store, project)
    claims = [store.claim_unit(job.job_id, TEST, timedelta(hours=1)) for _ in range(HOURS)]
    *others, last = [claim for claim in claims if claim is not None]
    for claim in others:
        store.give_back(claim)
    assert last.window.end == DAY.end
    return job, last


def at_work(store: Store) -> list[int]:
    """The processes that have done an hour, or are at one."""
    query = text("SELECT DISTINCT holder FROM backfill_units WHERE holder <> :test")
    with store.database.read() as connection:
        holders = connection.execute(query, {"test": TEST}).scalars().all()
    return sorted({int(holder.split("/")[1]) for holder in holders})


def share(project: Project, job_id: str, lease_s: float) -> None:
    """What a worker does: hours of the job, until none is left."""

    async def work() -> None:
        settings = project.settings()
        async with open_parts(read_plan(settings.plan), settings) as parts:
            job = parts.store.backfill_job(job_id)
            assert job is not None
            lease = timedelta(seconds=lease_s)
            await work_on(parts_for(job, parts), job, clock=now, lease=lease, poll_s=0.1)
            close_if_over(parts.store, job, now)

    asyncio.run(work())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

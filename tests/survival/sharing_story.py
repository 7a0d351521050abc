"""Workers of a shared backfill in processes of their own."""

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.backfill_order import BackfillRequest, order_of, parts_for
from flows.plan_file import read_plan
from flows.sharing import close_if_over, work_on
from flows.wiring import open_parts
from storage.claim_records import BackfillJob
from storage.store import Store
from tests.survival.story import DAY, Project

ROOT = Path(__file__).resolve().parents[2]


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

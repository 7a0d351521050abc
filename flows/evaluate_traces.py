"""The hourly run as a Prefect flow: evaluates the hours that are due."""

import asyncio
from datetime import UTC, datetime
from logging import INFO, WARNING

from prefect import flow, runtime
from prefect.logging import get_run_logger

from flows.artifacts import leave_run_artifacts
from flows.chunk_task import run_chunk_as_task
from flows.forgetting import forget_old, forgotten_line
from flows.plan_file import read_plan
from flows.runs import due_windows, run_windows
from flows.schedule import scheduled_start
from flows.telemetry import send_telemetry, telemetry_line
from flows.trust import run_trust
from flows.wiring import open_parts
from tailwatch.settings import Settings


@flow(name="evaluate-traces")
async def evaluate_traces() -> dict[str, int]:
    """Evaluates the hours that no run has finished, newest first, and looks for late traces.

    The hours follow from the *scheduled* start, so a run that starts late takes the hours it was
    meant to take; tailwatch's own ledger decides which of them are still owed. Then the collector
    is told, where the plan has one. The first run of a UTC day also forgets what is older than the
    plan's `retention`.
    """
    log = get_run_logger()
    settings = Settings()
    scheduled = scheduled_start()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        windows = due_windows(parts.store, parts.source.name, parts.plan.timing, scheduled)
        report = await run_windows(
            parts,
            windows,
            kind="hourly",
            run_id=str(runtime.flow_run.id),
            clock=_now,
            run_chunk=run_chunk_as_task,
            on_window=lambda w: log.info("%s: %d traces listed", w.window, w.listed),
        )
        told = await asyncio.to_thread(send_telemetry, parts.store, parts.plan, _now)
        if told is not None:
            log.log(INFO if told.why is None else WARNING, telemetry_line(told))
        if scheduled.hour == 0:
            log.info(forgotten_line(forget_old(parts.store, parts.plan, scheduled), False))
        trust = run_trust(parts, (c for w in report.windows for c in w.coverage))
    await leave_run_artifacts("hourly", report, trust)
    return report.counts


def _now() -> datetime:
    return datetime.now(UTC)

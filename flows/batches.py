"""Backfills whose questions go to the provider in batches, at a part of the price.

A backfill is a job in the store. Each pass runs its hours with a judge that answers what is known
and collects the rest into batches; when they have ended, the next pass knows the answers and
records them. The same steps start a backfill, go on with it and mend it after a crash.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from flows.backfill_plan import Only, redo_for
from flows.batch_work import BatchWork, Hold, held
from flows.collecting import CollectingJudge
from flows.parts import Parts
from flows.runs import RunReport, run_windows
from flows.settling import delete_files, look_after
from flows.submitting import recover, submit
from storage.batch_records import Batch, BatchJob, JobState
from storage.store import Store
from tailwatch.errors import BatchError, ConfigurationError, RetryableError
from tailwatch.evaluation import Series
from tailwatch.window import Window

CHANGED = "what it evaluated is no longer in the plan; its verdicts are kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch backfill is. `report` is that of the pass it made now, if it made one."""

    job: BatchJob
    batches: Sequence[Batch]
    report: RunReport | None = None
    elsewhere: bool = False
    """Another process works on it."""
    trouble: str | None = None

    @property
    def unsettled(self) -> Sequence[Batch]:
        return [batch for batch in self.batches if batch.unsettled]


def job_for(work: BatchWork, parts: Parts, window: Window, only: Only) -> BatchJob:
    """The job of that backfill: the one that is under way, or a new one, which is noted."""
    series = tuple(sorted(planned.series for planned in parts.evaluators))
    for job in work.store.batch_jobs(work.source, open_only=True):
        if (job.window, job.series, job.only) == (window, series, only.value):
            return job
    job = BatchJob(
        job_id=uuid.uuid4().hex[:12],
        source=work.source,
        window=window,
        series=series,
        partial=parts.partial,
        only=only.value,
        started_at=work.clock(),
    )
    work.store.start_batch_job(job)
    return job


async def advance(work: BatchWork, job: BatchJob) -> Progress:
    """Takes the job as far as it goes now: settles what has ended, records what is known, submits
    what is new. Raises BatchError, SourceError and StoreError; doing it again goes on from there.
    """
    async with held(work, job) as hold:
        if hold is None:
            return Progress(job=job, batches=work.store.batches(job.job_id), elsewhere=True)
        batches = [await _looked_after(work, job, b) for b in work.store.batches(job.job_id)]
        if any(batch.unsettled for batch in batches):
            return Progress(job=job, batches=batches)
        report, job = await _pass(work, job, hold)
        return Progress(job=job, batches=work.store.batches(job.job_id), report=report)


async def collect(work: BatchWork) -> list[Progress]:
    """Advances every job that is not over, oldest first. What the judge's endpoint refuses about
    one is its `trouble`, and holds up no other. Raises SourceError and StoreError.
    """
    jobs = work.store.batch_jobs(work.source, open_only=True)
    return [await _contained(work, job) for job in reversed(jobs)]


async def _contained(work: BatchWork, job: BatchJob) -> Progress:
    try:
        return await advance(work, job)
    except (BatchError, ConfigurationError) as error:
        now = job_called(work.store, work.source, job.job_id)
        return Progress(job=now, batches=work.store.batches(job.job_id), trouble=str(error))


async def cancel(work: BatchWork, job_id: str) -> Progress:
    """Cancels a job. What was answered by then is paid for and recorded; the rest fails, unasked.

    Raises ConfigurationError for an id that no open job has.
    """
    job = job_called(work.store, work.source, job_id)
    if job.over:
        raise ConfigurationError(f"the backfill {job.job_id} is over already: {job.state}")
    work.store.set_batch_job(job.job_id, "cancelling", ended_at=None, note=job.note)
    job = replace(job, state="cancelling")
    for batch in work.store.batches(job.job_id):
        if batch.state == "submitted" and batch.provider_id is not None:
            await work.endpoint.cancel(batch.provider_id)
    return await advance(work, job)


def job_called(store: Store, source: str, job_id: str) -> BatchJob:
    """The job whose id begins so. Raises ConfigurationError unless there is exactly one."""
    jobs = store.batch_jobs(source)
    found = [job for job in jobs if job.job_id.startswith(job_id)] if job_id else []
    if len(found) != 1:
        known = ", ".join(job.job_id for job in jobs[:5]) or "none"
        raise ConfigurationError(f"{job_id!r} is no backfill in batches; the newest are: {known}")
    return found[0]


async def _looked_after(work: BatchWork, job: BatchJob, batch: Batch) -> Batch:
    if batch.unsettled and batch.endpoint != work.endpoint.url:
        raise ConfigurationError(
            f"the backfill {job.job_id} has a batch at {batch.endpoint}, and the judge is now at "
            f"{work.endpoint.url}; set the address back until it is collected or cancelled"
        )
    if batch.state == "open":
        batch = await recover(work, batch)
    if batch.state == "submitted":
        if job.state == "cancelling" and batch.provider_id is not None:
            await work.endpoint.cancel(batch.provider_id)
        batch = await look_after(work, batch, give_up=job.state == "cancelling")
    if batch.state == "settled" and not batch.files_deleted:
        batch = await delete_files(work, batch)
    return batch


async def _pass(work: BatchWork, job: BatchJob, hold: Hold) -> tuple[RunReport | None, BatchJob]:
    """One run over the job's hours, and the job afterwards."""
    only = Only(job.only)
    now = work.clock()
    judge = CollectingJudge(
        job,
        work.store,
        work.terms,
        work.caps,
        partial(submit, work, hold=hold),
        endpoint=work.endpoint.url,
        # asked for everything again, only what this job itself brought is an answer
        since=job.started_at if only is Only.EVERYTHING else min(now - work.reuse, job.started_at),
        clock=work.clock,
        limits=work.limits,
        online=work.online,
    )
    parts = _of_job(work.parts_with(judge), job)
    if not parts.evaluators:
        return None, _ended(work, job, "done", CHANGED)
    try:
        report = await run_windows(
            parts,
            list(job.window.hours()),
            kind="backfill",
            run_id=uuid.uuid4().hex,
            clock=work.clock,
            detail=f"batch backfill {job.job_id}: {job.window}, only {job.only}",
            redo=redo_for(only),
            run_chunk=work.run_chunk,
            on_window=work.on_window,
        )
        await judge.finish()
    except BatchError as error:
        # what was submitted before the one that was refused is paid for and will be recorded
        under_way = any(batch.unsettled for batch in work.store.batches(job.job_id))
        if not isinstance(error, RetryableError) and not under_way:
            _ended(work, job, "cancelled", str(error))
        raise
    finally:
        await judge.close()
    if job.state == "cancelling":
        return report, _ended(work, job, "cancelled", job.note)
    if report.in_batch:
        return report, job
    changed = len(parts.evaluators) < len(job.series)
    return report, _ended(work, job, "done", CHANGED if changed else None)


def _of_job(parts: Parts, job: BatchJob) -> Parts:
    """The parts with the job's own series alone: a rubric that has changed since is another one."""
    wanted: set[Series] = set(job.series)
    evaluators = tuple(p for p in parts.evaluators if p.series in wanted)
    partly = job.partial or len(evaluators) < len(parts.evaluators)
    # without a judge of its own the run's cost is that of the verdicts it records
    return replace(parts, evaluators=evaluators, partial=partly, judge=None)


def _ended(work: BatchWork, job: BatchJob, state: JobState, note: str | None) -> BatchJob:
    now = work.clock()
    work.store.set_batch_job(job.job_id, state, ended_at=now, note=note)
    return replace(job, state=state, ended_at=now, note=note)

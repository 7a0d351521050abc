"""The loop of every worker of a backfill: claim an hour, evaluate it, finish it, until the end.

Any number of these loops may run at once, on one machine or on many. Each hour is one worker's at a
time, for a lease that a thread renews; whoever stood still for longer has lost the hour to another,
and nothing it writes then changes anything.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from flows.backfill_order import JobTerms, terms_of_job
from flows.chunks import Clock, RunChunk, evaluate_chunk
from flows.evaluate_window import WindowReport, evaluate_window
from flows.leases import gone, holder_name, renewed
from flows.narrowing import evaluate_part
from flows.parts import Parts
from storage.claim_records import BackfillJob, Claim, JobProgress, UnitCounts
from storage.store import Store
from tailwatch.errors import (
    ClaimLostError,
    RetryableError,
    StoreError,
    StoreUnavailableError,
    TailwatchError,
)
from tailwatch.printable import printable
from tailwatch.window import Window

LEASE: Final = timedelta(seconds=60)
"""How long an hour waits for a worker that vanished before another takes it."""

PAUSE: Final = timedelta(seconds=5)
"""How long an hour rests after its source did not answer; longer after the second time."""

IN_A_ROW: Final = 3
"""After how many hours in a row that came to nothing a worker gives up: it is not the hours."""

POLL_S: Final = 1.0
_ERROR_CHARS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Who is told what a worker does: of its finished hours, and of the chunks of one."""

    on_window: Callable[[WindowReport], None] | None = None
    on_progress: Callable[[Window, int, int], None] | None = None


async def work_on(
    parts: Parts,
    job: BackfillJob,
    *,
    clock: Clock,
    run_chunk: RunChunk = evaluate_chunk,
    heard: Heard = Heard(),
    lease: timedelta = LEASE,
    poll_s: float = POLL_S,
) -> list[WindowReport]:
    """What became of the hours that this worker did; returns when no hour is left for anybody.

    Raises SourceError when several hours in a row came to nothing, and StoreError; what this worker
    had claimed is then free for others. Cancelled, it gives its hour back at once.
    """
    store, holder = parts.store, holder_name()
    worker = _Worker(parts, terms_of_job(job), clock, run_chunk, heard, lease)
    if parts.judge is not None:
        parts.judge.begin(job.job_id, worker.terms.ask_again)
    reports: list[WindowReport] = []
    in_vain = 0
    while True:
        claim, more_to_come = _next(store, job.job_id, holder, lease)
        if claim is None:
            if not more_to_come:
                return reports
            await asyncio.sleep(poll_s)
            continue
        try:
            reports.append(await worker.do(claim))
            in_vain = 0
        except ClaimLostError:
            continue
        except BaseException as error:
            if _left_to_others(store, claim, error, lease):
                continue
            in_vain += 1
            if in_vain >= IN_A_ROW or not _of_the_hour(error):
                raise


def _left_to_others(store: Store, claim: Claim, error: BaseException, lease: timedelta) -> bool:
    """Gives the hour back; whether it was somebody else's already.

    PostgreSQL ends the transaction of a worker that stood still in it: to that worker, being too
    late looks like a store that does not answer.
    """
    if _of_the_hour(error):
        pause = PAUSE * 4 ** (claim.attempt - 1) if isinstance(error, RetryableError) else None
        store.give_back(claim, printable(str(error), _ERROR_CHARS), pause=pause)
        return False
    with suppress(TailwatchError):
        if isinstance(error, StoreError) and not store.renew_claim(claim, lease):
            return True
        store.give_back(claim)
    return False


def _of_the_hour(error: BaseException) -> bool:
    """Whether another hour may go well: not without a store, nor when somebody stops the work."""
    return isinstance(error, TailwatchError) and not isinstance(error, StoreError)


class _Worker:
    """Does one hour after another under the job's terms."""

    def __init__(
        self,
        parts: Parts,
        terms: JobTerms,
        clock: Clock,
        run_chunk: RunChunk,
        heard: Heard,
        lease: timedelta,
    ) -> None:
        self.terms = terms
        self._parts, self._clock, self._run_chunk = parts, clock, run_chunk
        self._heard, self._lease = heard, lease

    async def do(self, claim: Claim) -> WindowReport:
        """The hour, evaluated and finished. Raises ClaimLostError when another took it over."""
        store = self._parts.store
        work = asyncio.create_task(
            self._evaluate(replace(self._parts, store=store.under(claim)), claim.window)
        )
        loop = asyncio.get_running_loop()
        stop = partial(loop.call_soon_threadsafe, work.cancel)
        with renewed(store, claim, self._lease, stop) as taken_over:
            try:
                report = await work
            except asyncio.CancelledError:
                if taken_over.is_set():
                    raise ClaimLostError(f"{claim.window} was taken over") from None
                raise
            store.finish_unit(claim, counts_of(report))
        if self._heard.on_window is not None:
            self._heard.on_window(report)
        return report

    async def _evaluate(self, parts: Parts, window: Window) -> WindowReport:
        heard = self._heard.on_progress
        on_chunk = partial(heard, window) if heard is not None else None
        terms = self.terms
        if terms.narrowing:
            return await evaluate_part(
                parts,
                window,
                terms.narrowing,
                run_id=terms.run_id,
                clock=self._clock,
                redo=terms.redo,
                run_chunk=self._run_chunk,
                on_chunk=on_chunk,
            )
        return await evaluate_window(
            parts,
            window,
            run_id=terms.run_id,
            clock=self._clock,
            redo=terms.redo,
            run_chunk=self._run_chunk,
            on_chunk=on_chunk,
        )


def counts_of(report: WindowReport) -> UnitCounts:
    """The report of an hour as the ledger keeps it."""
    done = report.chunks
    return UnitCounts(
        changed=int(report.changed),
        listed=report.listed if report.changed else 0,
        scored=done.scored,
        skipped=done.skipped,
        failed=done.failed,
        unreadable=done.unreadable,
        late=report.late,
        in_batch=sum(done.in_batch.values()),
    )


def close_if_over(store: Store, job: BackfillJob, clock: Clock) -> JobProgress:
    """How far the job is; once no hour is left it ends, and so does its run."""
    progress = store.backfill_progress(job.job_id)
    if progress.left:
        return progress
    troubles = [trouble for trouble in progress.troubles if trouble.state == "failed"]
    store.set_backfill(job.job_id, "failed" if troubles else "done", clock())
    counts = progress.counts
    store.finish_run(
        job.job_id,
        ended_at=clock(),
        status="failed" if troubles else "done",
        error=troubles[0].error if troubles else None,
        counts=run_counts(counts),
        cost_usd=progress.cost_usd,
    )
    return progress


def run_counts(counts: UnitCounts) -> dict[str, int]:
    """The totals of a job, named as those of a run."""
    return {
        "windows": counts.changed,
        "listed": counts.listed,
        "scored": counts.scored,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "unreadable": counts.unreadable,
        "late": counts.late,
    }


def _next(store: Store, job_id: str, holder: str, lease: timedelta) -> tuple[Claim | None, bool]:
    """An hour to work on, and whether one may yet come where there is none now.

    Asked once more where the store did not answer: it ends the transaction of whoever stood still
    in it for long, and answers again.
    """

    def ask() -> tuple[Claim | None, bool]:
        claim = store.claim_unit(job_id, holder, lease)
        return claim, claim is not None or _more_to_come(store, job_id)

    try:
        return ask()
    except StoreUnavailableError:
        return ask()


def _more_to_come(store: Store, job_id: str) -> bool:
    """Whether an hour may yet become free; those of vanished processes of this machine do now."""
    job = store.backfill_job(job_id)
    if job is None or job.state != "running":
        return False
    progress = store.backfill_progress(job_id)
    if vanished := gone(progress.holders):
        store.drop_claims(job_id, vanished)
    store.end_late_sessions(job_id)
    return progress.left > 0

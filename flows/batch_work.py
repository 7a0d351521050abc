"""What batch backfills work with, and the hold that one process has on a backfill."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from evaluators.clients.batch_lines import BatchTerms
from evaluators.clients.openai_batch import BatchEndpoint
from evaluators.clients.openai_judge import OpenAIJudge
from flows.chunks import Clock, RunChunk, evaluate_chunk
from flows.evaluate_window import WindowReport
from flows.open_batch import Limits
from flows.parts import Parts
from storage.batch_records import BatchJob
from storage.store import Store
from tailwatch.errors import BatchUnavailableError
from tailwatch.judge_calls import Caps
from tailwatch.protocols import Judge

HOLD: Final = timedelta(minutes=15)
"""How long a process that vanished keeps others from its backfill."""

_RENEW_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """What every step of a batch backfill needs.

    `parts_with` builds the plan's parts around another judge. `reuse` is how old a verdict may be.
    """

    store: Store
    source: str
    endpoint: BatchEndpoint
    terms: BatchTerms
    caps: Caps
    reuse: timedelta
    parts_with: Callable[[Judge], Parts]
    clock: Clock
    online: OpenAIJudge | None = None
    """Asked one question before the first batch, to learn in which form the endpoint wants them."""
    run_chunk: RunChunk = evaluate_chunk
    on_window: Callable[[WindowReport], None] | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True, kw_only=True)
class Hold:
    """The right to work on a job, as long as it is renewed."""

    store: Store
    job_id: str
    holder: str
    clock: Clock

    def take(self) -> bool:
        """Takes or renews it; False when another process has it."""
        now = self.clock()
        return self.store.hold_batch_job(self.job_id, self.holder, now + HOLD, now)

    async def confirm(self) -> None:
        """Raises BatchUnavailableError when another process has taken over: submit nothing then."""
        if not await asyncio.to_thread(self.take):
            raise BatchUnavailableError(
                f"another process took the backfill {self.job_id} over while this one stood still; "
                "it goes on there"
            )


@asynccontextmanager
async def held(work: BatchWork, job: BatchJob) -> AsyncIterator[Hold | None]:
    """The hold on the job while the context lasts; None when another process has it."""
    hold = Hold(store=work.store, job_id=job.job_id, holder=uuid.uuid4().hex, clock=work.clock)
    if not hold.take():
        yield None
        return
    renewing = asyncio.create_task(_renew(hold))
    try:
        yield hold
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        work.store.release_batch_job(job.job_id, hold.holder)


async def _renew(hold: Hold) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        await asyncio.to_thread(hold.take)

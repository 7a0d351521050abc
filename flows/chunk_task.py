"""A chunk of an hour as a Prefect task: one task for some hundreds of traces, never for one."""

from dataclasses import dataclass
from typing import Any

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from flows.chunks import Chunk, ChunkReport, Clock, evaluate_chunk, remaining
from flows.parts import Parts
from tailwatch.errors import RetryableError


@dataclass(frozen=True, slots=True)
class _Work:
    parts: Parts
    chunk: Chunk
    clock: Clock


async def _worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """A source or store that did not answer."""
    return isinstance(await state.result(raise_on_failure=False), RetryableError)


@task(
    name="evaluate-chunk",
    retries=2,
    retry_delay_seconds=20,
    retry_condition_fn=_worth_another_try,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def _evaluate_chunk(work: Any) -> ChunkReport:
    tried_before = (runtime.task_run.run_count or 1) > 1
    chunk = remaining(work.parts, work.chunk) if tried_before else work.chunk
    return await evaluate_chunk(work.parts, chunk, work.clock)


async def run_chunk_as_task(parts: Parts, chunk: Chunk, clock: Clock) -> ChunkReport:
    """Runs a chunk under Prefect's eyes: its retries, its place in the run's page."""
    named = _evaluate_chunk.with_options(
        task_run_name=f"{chunk.window.start:%Y-%m-%d %H:%M} chunk {chunk.number + 1}"
    )
    # quote: Prefect must not walk through thousands of traces to look for futures in them.
    report: ChunkReport = await named(quote(_Work(parts, chunk, clock)))
    return report

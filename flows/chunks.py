"""Some hundreds of traces of one hour at a time: fetched, evaluated, recorded."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from evaluators.run import Assignment, RunContext, run_evaluators
from flows.parts import Parts, PlannedEvaluator
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Score, Skipped, SkipReason
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window

EVALUATOR_TIMEOUT_S = 900.0
"""How long one batch of one evaluator may take before it is recorded as timed out."""

CHUNKS_AT_ONCE = 2
"""How many chunks are under way where a judge is asked: the next one's questions are put while the
last answers of this one are waited for, and no more traces than these are in memory."""

Clock = Callable[[], datetime]

Wanted = tuple[PlannedEvaluator, Mapping[str, float | None]]
"""An evaluator with the trace ids it has yet to score, each with its inclusion probability; None
where the score is not to count as the hour's sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some traces of one hour, and which evaluators are to see which of them."""

    number: int
    window: Window
    run_id: str
    refs: Sequence[TraceRef]
    wanted: Sequence[Wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReport:
    """What became of a chunk, or of several."""

    scored: int = 0
    skipped: int = 0
    failed: int = 0
    unreadable: int = 0
    cost_usd: float = 0.0
    in_batch: Mapping[Series, int] = field(default_factory=dict)
    """By series, how many outcomes wait for a batch's answer; they were not recorded."""

    @property
    def recorded(self) -> int:
        """How many outcomes were written."""
        return self.scored + self.skipped + self.failed


RunChunk = Callable[[Parts, Chunk, Clock], Awaitable[ChunkReport]]


async def evaluate_chunk(parts: Parts, chunk: Chunk, clock: Clock) -> ChunkReport:
    """Fetches, evaluates and records one chunk; every finished batch is in the store at once."""
    traces: dict[str, Trace] = {}
    unreadable: list[FetchError] = []
    async for item in parts.source.fetch(chunk.refs):
        if isinstance(item, Trace):
            traces[item.trace_id] = item
        else:
            unreadable.append(item)
    parts.store.record_texts(list(traces.values()))
    parts.store.record_fetch_errors(unreadable, chunk.run_id, clock())
    assignments = [
        Assignment(
            evaluator=planned.evaluator,
            traces=[traces[i] for i in wanted if i in traces],
            probabilities=wanted,
        )
        for planned, wanted in chunk.wanted
    ]
    context = RunContext(
        window=chunk.window, run_id=chunk.run_id, clock=clock, timeout_s=EVALUATOR_TIMEOUT_S
    )

    marked = False

    def record(evaluations: Sequence[Evaluation]) -> None:
        nonlocal marked
        made = [each for each in evaluations if not _waits(each)]
        if not marked and any(each.inclusion_probability is not None for each in made):
            parts.store.begin_restating(parts.source.name, chunk.window, chunk.run_id)
            marked = True
        parts.store.record(made)

    evaluations = await run_evaluators(assignments, context, on_batch=record)
    return _chunk_report(evaluations, len(unreadable))


async def run_chunks(
    parts: Parts,
    chunks: Sequence[Chunk],
    clock: Clock,
    run_chunk: RunChunk,
    on_chunk: Callable[[int, int], None] | None = None,
) -> ChunkReport:
    """What became of all the chunks, begun in order; the first error ends the others too."""
    judged = any(getattr(p.evaluator, "ends_by_itself", False) for p in parts.evaluators)
    following, reports = iter(chunks), list[ChunkReport]()

    async def lane() -> None:
        for chunk in following:
            reports.append(await run_chunk(parts, chunk, clock))
            if on_chunk is not None:
                on_chunk(len(reports), len(chunks))

    lanes = [asyncio.create_task(lane()) for _ in range(CHUNKS_AT_ONCE if judged else 1)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    return total_of(reports)


def chunks_of(
    refs: Sequence[TraceRef],
    wanted: Sequence[Wanted],
    window: Window,
    run_id: str,
    size: int,
) -> Iterator[Chunk]:
    """The traces that any evaluator has yet to see, cut into chunks of at most `size`."""
    needed_ids = set().union(*(missing for _, missing in wanted))
    needed = [ref for ref in refs if ref.trace_id in needed_ids]
    for number, start in enumerate(range(0, len(needed), size)):
        part = needed[start : start + size]
        ids = [ref.trace_id for ref in part]
        yield Chunk(
            number=number,
            window=window,
            run_id=run_id,
            refs=part,
            wanted=[(p, {i: missing[i] for i in ids if i in missing}) for p, missing in wanted],
        )


def remaining(parts: Parts, chunk: Chunk) -> Chunk:
    """The part of a chunk that its run has not recorded yet: what an attempt that broke off left.

    Judges are paid for each answer, so a second attempt must not ask again what the first recorded.
    """
    series = [planned.series for planned, _ in chunk.wanted]
    recorded = parts.store.recorded(parts.source.name, series, chunk.window)

    def made(of: Series, trace_id: str) -> bool:
        outcome = recorded[of].get(trace_id)
        return outcome is not None and outcome.run_id == chunk.run_id

    wanted = [
        (planned, {i: p for i, p in missing.items() if not made(planned.series, i)})
        for planned, missing in chunk.wanted
    ]
    needed = set().union(*(missing for _, missing in wanted))
    return replace(chunk, wanted=wanted, refs=[r for r in chunk.refs if r.trace_id in needed])


def total_of(reports: Sequence[ChunkReport]) -> ChunkReport:
    """What became of all the chunks together."""
    return ChunkReport(
        scored=sum(r.scored for r in reports),
        skipped=sum(r.skipped for r in reports),
        failed=sum(r.failed for r in reports),
        unreadable=sum(r.unreadable for r in reports),
        cost_usd=sum(r.cost_usd for r in reports),
        in_batch=sum((Counter(r.in_batch) for r in reports), Counter()),
    )


def _waits(evaluation: Evaluation) -> bool:
    outcome = evaluation.outcome
    return isinstance(outcome, Skipped) and outcome.reason is SkipReason.IN_BATCH


def _chunk_report(evaluations: Sequence[Evaluation], unreadable: int) -> ChunkReport:
    outcomes = [evaluation.outcome for evaluation in evaluations if not _waits(evaluation)]
    usages = [o.usage for o in outcomes if isinstance(o, Score | Failed)]
    return ChunkReport(
        scored=sum(isinstance(o, Score) for o in outcomes),
        failed=sum(isinstance(o, Failed) for o in outcomes),
        skipped=len(outcomes) - len(usages),
        unreadable=unreadable,
        cost_usd=sum(usage.cost_usd or 0.0 for usage in usages),
        in_batch=Counter(evaluation.series for evaluation in evaluations if _waits(evaluation)),
    )

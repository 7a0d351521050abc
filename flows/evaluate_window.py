"""One hour, from the listing to its summaries. Running it twice changes nothing."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.summaries import summarize
from evaluators.run import Assignment, RunContext, run_evaluators
from flows.listing import list_hour, split_waiting
from flows.parts import Parts, PlannedEvaluator
from flows.sampling_day import sampling_day
from storage.records import RecordedOutcome, WindowRecord
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Score
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window

EVALUATOR_TIMEOUT_S = 900.0
"""How long one batch of one evaluator may take before it is recorded as timed out."""

Redo = Callable[[RecordedOutcome], bool]
"""Whether an outcome that is already recorded is evaluated again."""

Clock = Callable[[], datetime]


def redo_retryable(recorded: RecordedOutcome) -> bool:
    """What the hourly run evaluates again: failures that another try may mend."""
    return recorded.kind == "failed" and recorded.retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some traces of one hour, and which evaluators are to see which of them."""

    number: int
    window: Window
    run_id: str
    refs: Sequence[TraceRef]
    wanted: Sequence[tuple[PlannedEvaluator, Mapping[str, float]]]
    """Evaluators with the trace ids they have yet to score, each with its inclusion probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReport:
    """What became of a chunk, or of several."""

    scored: int = 0
    skipped: int = 0
    failed: int = 0
    unreadable: int = 0
    cost_usd: float = 0.0

    @property
    def recorded(self) -> int:
        """How many outcomes were written."""
        return self.scored + self.skipped + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """What became of one hour in one run. `changed` is False when nothing new was found."""

    window: Window
    listed: int
    waiting: int = 0
    late: int = 0
    chunks: ChunkReport = field(default_factory=ChunkReport)
    coverage: Sequence[Coverage] = ()
    changed: bool = True


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
    evaluations = await run_evaluators(assignments, context, on_batch=parts.store.record)
    return _chunk_report(evaluations, len(unreadable))


async def evaluate_window(
    parts: Parts,
    window: Window,
    *,
    run_id: str,
    clock: Clock,
    redo: Redo = redo_retryable,
    run_chunk: RunChunk = evaluate_chunk,
    on_chunk: Callable[[int, int], None] | None = None,
) -> WindowReport:
    """Evaluates what of one hour is not evaluated yet, and restates the hour if that changed it.

    `run_chunk` is how a chunk is run (a Prefect flow hands in its task); `on_chunk` hears how many
    chunks are done, of how many. Raises SourceError and StoreError; never for a bad trace.
    """
    hour = await _look(parts, window, run_id, clock)
    recorded = parts.store.recorded(parts.source.name, hour.series, window)
    wanted = [(p, outstanding(recorded[p.series], sample, redo)) for p, sample in hour.samples]
    chunks = list(_chunks(hour.eligible, wanted, window, run_id, parts.plan.chunk_size))
    reports = []
    for chunk in chunks:
        reports.append(await run_chunk(parts, chunk, clock))
        if on_chunk is not None:
            on_chunk(len(reports), len(chunks))
    total = _sum(reports)
    changed = bool(
        not hour.done_before or hour.late or total.recorded or _drawn_anew(hour, recorded)
    )
    return WindowReport(
        window=window,
        listed=len(hour.refs),
        waiting=hour.waiting,
        late=len(hour.late),
        chunks=total,
        coverage=_restate(parts, hour, recorded, run_id, clock) if changed else (),
        changed=changed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    """What the source lists for an hour, and each evaluator's sample of it."""

    window: Window
    refs: Sequence[TraceRef]
    eligible: Sequence[TraceRef]
    waiting: int
    late: frozenset[str]
    done_before: bool
    samples: Sequence[tuple[PlannedEvaluator, Mapping[str, float]]]

    @property
    def series(self) -> list[Series]:
        return [planned.series for planned, _ in self.samples]


async def _look(parts: Parts, window: Window, run_id: str, clock: Clock) -> _Hour:
    """Lists the hour and records the listing."""
    store, source = parts.store, parts.source.name
    refs, errors = await list_hour(parts.source, window)
    done_before = any(record.status == "done" for record in store.windows(source, window))
    known = store.known_trace_ids(source, window) if done_before else set()
    store.record_listing(refs, clock())
    store.record_fetch_errors(errors, run_id, clock())
    eligible, waiting = split_waiting(refs, window, parts.plan.timing.max_wait, clock())
    day = sampling_day(parts, window)
    flagged = day.flagged(eligible)
    return _Hour(
        window=window,
        refs=refs,
        eligible=eligible,
        waiting=len(waiting),
        late=frozenset(r.trace_id for r in refs if r.trace_id not in known)
        if done_before
        else frozenset(),
        done_before=done_before,
        samples=[(p, day.sample(p, eligible, flagged)) for p in parts.evaluators],
    )


def _drawn_anew(hour: _Hour, recorded: Mapping[Series, Mapping[str, RecordedOutcome]]) -> bool:
    """Whether a recorded trace has another chance now: a flag that came later moves its bucket."""
    return any(
        outcome.inclusion_probability != sample.get(trace_id)
        for planned, sample in hour.samples
        for trace_id, outcome in recorded[planned.series].items()
    )


def _restate(
    parts: Parts,
    hour: _Hour,
    before: Mapping[Series, Mapping[str, RecordedOutcome]],
    run_id: str,
    clock: Clock,
) -> list[Coverage]:
    """Brings the sample, the coverage, the summaries and the ledger of the hour up to date.

    All of it is counted from what the store holds, so it is the same however often, and in however
    many attempts, the hour was evaluated.
    """
    store, source = parts.store, parts.source.name
    for planned, sample in hour.samples:
        if before[planned.series]:
            store.set_sample(source, planned.series, hour.window, sample)
    recorded = store.recorded(source, hour.series, hour.window)
    coverage = [_account(hour, p.series, sample, recorded[p.series]) for p, sample in hour.samples]
    store.record_coverage(source, coverage)
    _restate_summaries(parts, hour.window, now=clock(), restated=hour.done_before)
    if hour.done_before or not parts.partial:
        store.finish_window(
            WindowRecord(
                source=source,
                window=hour.window,
                status="done",
                listed=len(hour.refs),
                scored=sum(c.scored for c in coverage),
                failed=sum(sum(c.failed.values()) for c in coverage),
                late=len(hour.late),
                run_id=run_id,
                evaluated_at=clock(),
            )
        )
    return coverage


def _account(
    hour: _Hour,
    series: Series,
    sample: Mapping[str, float],
    recorded: Mapping[str, RecordedOutcome],
) -> Coverage:
    outcomes = [recorded[trace_id] for trace_id in sample if trace_id in recorded]
    return Coverage(
        series=series,
        window=hour.window,
        listed=len(hour.refs),
        eligible=len(hour.eligible),
        sampled=len(sample),
        scored=sum(o.kind == "score" for o in outcomes),
        skipped=Counter(str(o.reason) for o in outcomes if o.kind == "skipped"),
        failed=Counter(str(o.reason) for o in outcomes if o.kind == "failed"),
        unreadable=len(sample) - len(outcomes),
        late=sum(trace_id in hour.late for trace_id in sample),
    )


def _restate_summaries(parts: Parts, window: Window, *, now: datetime, restated: bool) -> None:
    plan, store, source = parts.plan, parts.store, parts.source.name
    directions = parts.directions
    cut = (plan.segments, plan.max_segment_values)
    samples = store.score_samples(source, [p.series for p in parts.evaluators], window, *cut)
    samples += store.measure_samples(source, plan.measures, window, *cut)
    store.record_summaries(
        source,
        [
            summarize(sample, directions[sample.series], restated=restated)
            for sample in samples
            if sample.values or sample.failed
        ],
        now,
    )


def outstanding(
    recorded: Mapping[str, RecordedOutcome], sample: Mapping[str, float], redo: Redo
) -> dict[str, float]:
    """The part of a sample that is still to be evaluated."""
    return {
        trace_id: probability
        for trace_id, probability in sample.items()
        if trace_id not in recorded or redo(recorded[trace_id])
    }


def _chunks(
    refs: Sequence[TraceRef],
    wanted: Sequence[tuple[PlannedEvaluator, Mapping[str, float]]],
    window: Window,
    run_id: str,
    size: int,
) -> Iterator[Chunk]:
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


def _chunk_report(evaluations: Sequence[Evaluation], unreadable: int) -> ChunkReport:
    outcomes = [evaluation.outcome for evaluation in evaluations]
    usages = [o.usage for o in outcomes if isinstance(o, Score | Failed)]
    return ChunkReport(
        scored=sum(isinstance(o, Score) for o in outcomes),
        failed=sum(isinstance(o, Failed) for o in outcomes),
        skipped=len(outcomes) - len(usages),
        unreadable=unreadable,
        cost_usd=sum(usage.cost_usd or 0.0 for usage in usages),
    )


def _sum(reports: Sequence[ChunkReport]) -> ChunkReport:
    return ChunkReport(
        scored=sum(r.scored for r in reports),
        skipped=sum(r.skipped for r in reports),
        failed=sum(r.failed for r in reports),
        unreadable=sum(r.unreadable for r in reports),
        cost_usd=sum(r.cost_usd for r in reports),
    )

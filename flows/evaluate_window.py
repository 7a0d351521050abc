"""One hour, from the listing to its summaries. Running it twice changes nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flows.chunks import (
    ChunkReport,
    Clock,
    RunChunk,
    chunks_of,
    evaluate_chunk,
    run_chunks,
)
from flows.hour import Hour, look_at
from flows.parts import Parts, PlannedEvaluator
from flows.restating import restate
from storage.records import RecordedOutcome
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.outcome import SkipReason
from tailwatch.window import Window

Redo = Callable[[RecordedOutcome], bool]
"""Whether an outcome that is already recorded is evaluated again."""


def redo_retryable(recorded: RecordedOutcome) -> bool:
    """What the hourly run evaluates again: failures that another try may mend."""
    return recorded.kind == "failed" and recorded.retryable


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
    hour = await look_at(parts, window, run_id, clock)
    recorded = parts.store.recorded(parts.source.name, hour.series, window)
    wanted = [(p, outstanding(p, recorded[p.series], sample, redo)) for p, sample in hour.samples]
    chunks = list(chunks_of(hour.eligible, wanted, window, run_id, parts.plan.chunk_size))
    total = await run_chunks(parts, chunks, clock, run_chunk, on_chunk)
    changed = bool(
        not hour.done_before
        or hour.late
        or hour.relisted
        or hour.restating
        or total.recorded
        or _drawn_anew(hour, recorded)
        or _waited_for(parts, hour)
        or unaccounted(parts, hour, recorded)
    )
    told, told_hour = without(parts, hour, total.in_batch)
    return WindowReport(
        window=window,
        listed=len(hour.refs),
        waiting=hour.waiting,
        late=len(hour.late),
        chunks=total,
        coverage=restate(told, told_hour, recorded, run_id, clock, finish=not total.in_batch)
        if changed
        else (),
        changed=changed,
    )


def outstanding(
    planned: PlannedEvaluator,
    recorded: Mapping[str, RecordedOutcome],
    sample: Mapping[str, float],
    redo: Redo,
) -> dict[str, float | None]:
    """The part of a sample that is still to be evaluated.

    What was skipped for want of something that the evaluator has not got yet is left as it is.
    """
    configured = planned.configured

    def again(outcome: RecordedOutcome) -> bool:
        return redo(outcome) and (configured or outcome.reason != SkipReason.NOT_CONFIGURED)

    return {
        trace_id: probability
        for trace_id, probability in sample.items()
        if trace_id not in recorded or again(recorded[trace_id])
    }


def _drawn_anew(hour: Hour, recorded: Mapping[Series, Mapping[str, RecordedOutcome]]) -> bool:
    """Whether a recorded trace has another chance now: a flag that came later moves its bucket."""
    return any(
        outcome.inclusion_probability != sample.get(trace_id)
        for planned, sample in hour.samples
        for trace_id, outcome in recorded[planned.series].items()
    )


def unaccounted(
    parts: Parts, hour: Hour, recorded: Mapping[Series, Mapping[str, RecordedOutcome]]
) -> bool:
    """Whether a run recorded scores and was ended before it accounted for them."""
    accounts = {a.series: a.scored for a in parts.store.coverage(parts.source.name, hour.window)}
    return any(
        accounts.get(planned.series) != _scored(recorded[planned.series], sample)
        for planned, sample in hour.samples
        if recorded[planned.series]
    )


def _scored(recorded: Mapping[str, RecordedOutcome], sample: Mapping[str, float]) -> int:
    return sum(trace_id in sample and o.kind == "score" for trace_id, o in recorded.items())


def without(parts: Parts, hour: Hour, series: Collection[Series]) -> tuple[Parts, Hour]:
    """The parts and the hour without those series, of which nothing can be told yet."""
    if not series:
        return parts, hour
    evaluators = tuple(p for p in parts.evaluators if p.series not in series)
    samples = [(p, sample) for p, sample in hour.samples if p.series not in series]
    return replace(parts, evaluators=evaluators), replace(hour, samples=samples)


def _waited_for(parts: Parts, hour: Hour) -> bool:
    """Whether the hour was accounted for while another number of its traces was not finished."""
    accounts = parts.store.coverage(parts.source.name, hour.window)
    return any(a.eligible != len(hour.eligible) for a in accounts if a.series in hour.series)

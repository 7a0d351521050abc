"""A part of an hour's traces: those of a segment, the first few, those of another version.

A part is no sample of the hour. What is evaluated of it is recorded, but counts in no figure of the
hour until the hour's sample is whole.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice

from flows.chunks import Clock, RunChunk, chunks_of, evaluate_chunk, run_chunks
from flows.evaluate_window import Redo, WindowReport, outstanding, unaccounted, without
from flows.hour import look_back_at
from flows.parts import Parts, PlannedEvaluator
from flows.restating import restate
from storage.records import RecordedOutcome
from tailwatch.alert import Segment
from tailwatch.coverage import Coverage
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.trace import SEGMENT_FIELDS, TraceRef
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which of an hour's sampled traces a backfill takes; with no field set, all of them.

    `most` takes that many of each evaluator's, the first by the hash that the sample is drawn by:
    the same ones on every machine, and of a larger number they are a part. `other_version` takes
    those that another version or judge of the evaluator has an outcome for.
    """

    segment: Segment | None = None
    most: int | None = None
    other_version: bool = False

    def __bool__(self) -> bool:
        return self.segment is not None or self.most is not None or self.other_version

    def of(
        self,
        sample: Mapping[str, float],
        refs: Mapping[str, TraceRef],
        elsewhere: Collection[str] = frozenset(),
    ) -> dict[str, float]:
        """The part of a sample, which is in the order of the hash. `elsewhere` are the traces that
        another version has outcomes for.
        """
        fit = (i for i in sample if self._fits(refs[i]))
        if self.other_version:
            fit = (i for i in fit if i in elsewhere)
        return {i: sample[i] for i in islice(fit, self.most)}

    def _fits(self, ref: TraceRef) -> bool:
        wanted = self.segment
        return wanted is None or getattr(ref, wanted.field) == wanted.value


WHOLE_HOURS = Narrowing()
"""No narrowing: all of each hour's sample."""


def parse_segment(text: str) -> Segment:
    """The segment of `feature=search`. Raises ConfigurationError with what is accepted."""
    field, equals, value = text.partition("=")
    if not equals or not value or field not in SEGMENT_FIELDS:
        raise ConfigurationError(
            f"{text!r} is no segment; write FIELD=VALUE, such as feature=search, where the field "
            f"is one of {', '.join(SEGMENT_FIELDS)}"
        )
    return Segment(field=field, value=value)


def narrowed(
    parts: Parts,
    window: Window,
    planned: PlannedEvaluator,
    sample: Mapping[str, float],
    refs: Mapping[str, TraceRef],
    narrowing: Narrowing,
) -> dict[str, float]:
    """The part of an evaluator's sample of an hour that is to be taken."""
    elsewhere: set[str] = set()
    if narrowing.other_version:
        others = _other_versions(parts, window, planned.series)
        recorded = parts.store.recorded(parts.source.name, others, window)
        elsewhere = {trace_id for of_series in recorded.values() for trace_id in of_series}
    return narrowing.of(sample, refs, elsewhere)


async def evaluate_part(
    parts: Parts,
    window: Window,
    narrowing: Narrowing,
    *,
    run_id: str,
    clock: Clock,
    redo: Redo,
    run_chunk: RunChunk = evaluate_chunk,
    on_chunk: Callable[[int, int], None] | None = None,
) -> WindowReport:
    """Evaluates a part of one hour, which is done afterwards only if it was before.

    A series that the hour has an account of goes on counting, and is restated; so is one that the
    part makes whole. What is recorded of another counts only once a later run completes it. Raises
    SourceError and StoreError; never for a bad trace.
    """
    store, source = parts.store, parts.source.name
    hour = await look_back_at(parts, window, run_id, clock)
    refs = {ref.trace_id: ref for ref in hour.eligible}
    accounts = store.coverage(source, window)
    accounted = {account.series for account in accounts}
    recorded = store.recorded(source, hour.series, window)
    wanted = []
    for planned, sample in hour.samples:
        part = narrowed(parts, window, planned, sample, refs, narrowing)
        missing = outstanding(planned, recorded[planned.series], part, redo)
        counts = planned.series in accounted
        wanted.append((planned, missing if counts else dict.fromkeys(missing)))
    chunks = list(chunks_of(hour.eligible, wanted, window, run_id, parts.plan.chunk_size))
    total = await run_chunks(parts, chunks, clock, run_chunk, on_chunk)
    after = store.recorded(source, hour.series, window)
    untold = {
        planned.series
        for planned, sample in hour.samples
        if planned.series in total.in_batch
        or (
            planned.series not in accounted
            and not _whole(planned.series, sample, after[planned.series], accounts, narrowing)
        )
    }
    told, told_hour = without(parts, hour, untold)
    due = (
        hour.restating == run_id
        or unaccounted(parts, told_hour, after)
        or any(recorded[series] != after[series] for series in told_hour.series)
    )
    if not due and not hour.relisted:
        store.end_restating(source, window, run_id)
    return WindowReport(
        window=window,
        listed=len(hour.refs),
        waiting=hour.waiting,
        chunks=total,
        coverage=restate(told, told_hour, after, run_id, clock, finish=False) if due else (),
        changed=bool(total.recorded or due),
    )


def _whole(
    series: Series,
    sample: Mapping[str, float],
    recorded: Mapping[str, RecordedOutcome],
    accounts: Collection[Coverage],
    narrowing: Narrowing,
) -> bool:
    """Whether every trace of the sample has an outcome, but for those nobody could read: as many as
    the hour's account says of the version that is scored anew.
    """
    unreadable = [
        account.unreadable
        for account in accounts
        if account.series.evaluator == series.evaluator and account.sampled == len(sample)
    ]
    alone = narrowing == Narrowing(other_version=True)
    missing = sum(trace_id not in recorded for trace_id in sample)
    return bool(recorded) and missing <= (max(unreadable, default=0) if alone else 0)


def _other_versions(parts: Parts, window: Window, series: Series) -> list[Series]:
    known = parts.store.series_in(parts.source.name, window)
    return [each for each in known if each.evaluator == series.evaluator and each != series]

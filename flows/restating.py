"""What is known of an hour after its evaluations: sample, coverage, summaries, ledger."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from alerts.summaries import summarize
from flows.chunks import Clock
from flows.hour import Hour
from flows.parts import Parts
from storage.records import RecordedOutcome, WindowRecord
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.window import Window


def restate(
    parts: Parts,
    hour: Hour,
    before: Mapping[Series, Mapping[str, RecordedOutcome]],
    run_id: str,
    clock: Clock,
    *,
    finish: bool = True,
) -> list[Coverage]:
    """Brings the sample, the coverage, the summaries and the ledger of the hour up to date.

    All of it is counted from what the store holds, so it is the same however often, and in however
    many attempts, the hour was evaluated. An hour that has not ended and settled stays owed, and so
    does one that is not to `finish` yet, or that another run left half restated and this one, with
    some of the plan's evaluators, cannot restate whole.
    """
    store, source = parts.store, parts.source.name
    store.begin_restating(source, hour.window, run_id)
    for planned, sample in hour.samples:
        if before[planned.series]:
            store.set_sample(source, planned.series, hour.window, sample)
    recorded = store.recorded(source, hour.series, hour.window)
    late = store.late(source, hour.window)
    coverage = [
        _account(hour, p.series, sample, recorded[p.series], late) for p, sample in hour.samples
    ]
    # the account last: while it does not fit what is recorded, the next run restates the hour
    _restate_summaries(parts, hour.window, now=clock(), restated=hour.done_before)
    store.record_coverage(source, coverage)
    settled = clock() >= hour.window.end + parts.plan.timing.settle
    whole = not parts.partial or hour.restating in (None, run_id)
    if finish and whole and (hour.done_before or (settled and not parts.partial)):
        store.finish_window(
            WindowRecord(
                source=source,
                window=hour.window,
                status="done",
                listed=len(hour.refs),
                scored=sum(c.scored for c in coverage),
                failed=sum(sum(c.failed.values()) for c in coverage),
                late=len(late),
                run_id=run_id,
                evaluated_at=clock(),
            )
        )
    else:
        store.end_restating(source, hour.window, run_id)
    return coverage


def _account(
    hour: Hour,
    series: Series,
    sample: Mapping[str, float],
    recorded: Mapping[str, RecordedOutcome],
    late: Collection[str],
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
        late=sum(trace_id in late for trace_id in sample),
    )


def _restate_summaries(parts: Parts, window: Window, *, now: datetime, restated: bool) -> None:
    plan, store, source = parts.plan, parts.store, parts.source.name
    directions = parts.directions
    cut = (plan.segments, plan.max_segment_values)
    series = [planned.series for planned in parts.all_evaluators]
    samples = store.score_samples(source, series, window, *cut)
    samples += store.measure_samples(source, plan.measures, window, *cut)
    store.restate_summaries(
        source,
        window,
        list(directions),
        [
            summarize(sample, directions[sample.series], restated=restated)
            for sample in samples
            if sample.values or sample.failed
        ],
        now,
        telemetry=plan.telemetry.otlp,
    )

"""What sampling goes by on a day is learned once; late flags and traces move the probabilities."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from flows.backfill_plan import estimate
from flows.evaluate_window import WindowReport, evaluate_window, redo_retryable
from flows.parts import Parts
from flows.sampling_day import LEAST_LISTED, sampling_day
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC
from tailwatch.buckets import UsualLength
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Score
from tailwatch.sampling import SampleDesign, position
from tailwatch.trace import Feedback, FeedbackKind, Trace
from tailwatch.window import HOUR as ONE_HOUR
from tailwatch.window import Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

HOUR = Window.hour_of(START)
SERIES = Series(evaluator="scripted", version="1")
DOWN = (Feedback(kind=FeedbackKind.THUMB, value=-1.0),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def trace(number: int, *, down: bool = False, hour: Window = HOUR, **fields: object) -> Trace:
    return make_trace(
        source="memory",
        trace_id=f"{hour.start:%d%H}-{number}",
        start_time=hour.start + timedelta(seconds=number),
        feedback=DOWN if down else (),
        **fields,
    )


def run(parts: Parts, *, hours_later: float = 2, run_id: str = "run") -> WindowReport:
    clock = SteppingClock(START + timedelta(hours=hours_later))
    return asyncio.run(evaluate_window(parts, HOUR, run_id=run_id, clock=clock))


def chances(store: Store, traces: list[Trace]) -> dict[str, float | None]:
    found = (store.evaluations("memory", t.trace_id) for t in traces)
    return {e.trace_id: e.inclusion_probability for each in found for e in each}


def test_flagged_and_normal_traces_are_sampled_apart(store: Store) -> None:
    traces = [trace(number, down=number < 4) for number in range(20)]
    evaluator = ScriptedEvaluator(verdict=lambda t: Score(value=0.0 if t.feedback else 1.0))
    design = SampleDesign(per_hour=9, flagged_share=1 / 3)
    run(make_parts(store, MemorySource(traces), evaluator, design=design))

    by_place = sorted(traces, key=lambda t: position(t.trace_id))
    flagged = [t.trace_id for t in by_place if t.feedback][:3]
    normal = [t.trace_id for t in by_place if not t.feedback][:6]
    expected = dict.fromkeys(flagged, 3 / 4) | dict.fromkeys(normal, 6 / 16)
    assert chances(store, traces) == expected
    (summary,) = store.summaries("memory", HOUR, series=SERIES, segment=ALL_TRAFFIC)
    assert summary.mean == pytest.approx(16 / 20)


def test_a_thumb_that_comes_later_moves_the_trace_and_restates_the_hour(store: Store) -> None:
    traces = sorted(
        (trace(number, down=number < 2) for number in range(20)),
        key=lambda t: position(t.trace_id),
    )
    source = MemorySource(traces)
    parts = make_parts(store, source, ScriptedEvaluator(), design=SampleDesign(per_hour=10))
    run(parts)
    first = chances(store, traces)
    place = next(i for i, t in enumerate(traces) if not t.feedback)
    number = int(traces[place].trace_id.split("-")[1])
    source.traces[place] = trace(number, down=True)

    report = run(parts, hours_later=3, run_id="again")

    assert report.changed
    assert set(first.values()) == {1 / 2, 9 / 18}
    counted = {c for c in chances(store, traces).values() if c is not None}
    assert counted == {2 / 3, 8 / 17}
    assert not run(parts, hours_later=4, run_id="once more").changed


def test_a_late_trace_changes_the_stored_probabilities_of_its_bucket(store: Store) -> None:
    traces = [trace(number, down=number < 4) for number in range(20)]
    source = MemorySource(traces[1:])
    design = SampleDesign(per_hour=9, flagged_share=1 / 3)
    parts = make_parts(store, source, ScriptedEvaluator(), design=design)
    run(parts)
    assert set(chances(store, traces).values()) == {3 / 3, 6 / 16}
    source.traces.append(traces[0])
    run(parts, hours_later=4, run_id="again")
    assert {c for c in chances(store, traces).values() if c is not None} == {3 / 4, 6 / 16}


def test_the_usual_length_is_that_of_the_week_before_and_stays_pinned(store: Store) -> None:
    parts = make_parts(store, MemorySource([]), ScriptedEvaluator())
    before = Window(HOUR.start - timedelta(days=1), HOUR.end - timedelta(days=1))
    store.record_listing(
        [trace(n, hour=before, output_tokens=n + 1).ref for n in range(LEAST_LISTED)], START
    )
    usual = UsualLength(low=26, high=476)
    assert sampling_day(parts, HOUR, pin=False).usual == usual
    assert store.usual_lengths("memory", HOUR) == {}

    assert sampling_day(parts, HOUR).usual == usual
    store.record_listing(
        [trace(n, hour=before, output_tokens=9000).ref for n in range(LEAST_LISTED)], START
    )
    day = sampling_day(parts, Window(HOUR.end, HOUR.end + ONE_HOUR))
    assert day.usual == usual
    refs = [trace(1, output_tokens=25).ref, trace(2, output_tokens=26).ref]
    assert day.flagged(refs) == {refs[0].trace_id}


@pytest.mark.parametrize(("informative", "learned"), [(True, True), (False, False)])
def test_the_share_is_learned_from_last_week_s_scores_and_stays_pinned(
    store: Store, informative: bool, learned: bool
) -> None:
    """40 hours of 25 scores; a tenth of the traffic is flagged, and most bad ones are, or not."""
    parts = make_parts(
        store, MemorySource([]), ScriptedEvaluator(), design=SampleDesign(per_hour=25)
    )
    for back in range(1, 41):
        hour = Window(
            HOUR.start - timedelta(hours=10 + back), HOUR.start - timedelta(hours=9 + back)
        )
        traces = [trace(n, down=n < 5, hour=hour) for n in range(25)]
        store.record_listing([t.ref for t in traces], START)
        store.record([_scored(t, hour, n, informative) for n, t in enumerate(traces)])

    share = sampling_day(parts, HOUR, pin=False).shares[SERIES]
    assert (share is not None) == learned
    assert store.flagged_shares("memory", HOUR.start) == {}

    assert sampling_day(parts, HOUR).shares == {SERIES: share}
    another = make_parts(
        store, MemorySource([]), ScriptedEvaluator(), design=SampleDesign(per_hour=1)
    )
    store.pin_flagged_shares("memory", HOUR.start, {SERIES: 0.01})
    assert sampling_day(another, HOUR).shares == {SERIES: share}


def _scored(trace: Trace, hour: Window, n: int, informative: bool) -> Evaluation:
    bad = n in (0, 1, 2, 3, 5) if informative else n % 5 == 0
    return Evaluation(
        source="memory",
        trace_id=trace.trace_id,
        series=SERIES,
        outcome=Score(value=(0.1 if bad else 0.8) + n / 1000),
        window=hour,
        inclusion_probability=0.4 if n < 5 else 20 / 112,
        run_id="r",
        evaluated_at=START,
    )


def test_a_design_that_leaves_nothing_open_learns_nothing(store: Store) -> None:
    design = SampleDesign(per_hour=5, flagged_share=0.0)
    parts = make_parts(store, MemorySource([]), ScriptedEvaluator(), design=design)
    assert sampling_day(parts, HOUR).shares == {}


def test_an_estimate_counts_the_sample_and_pins_nothing(store: Store) -> None:
    traces = [trace(number, down=number < 4) for number in range(20)]
    parts = make_parts(
        store, MemorySource(traces), ScriptedEvaluator(), design=SampleDesign(per_hour=9)
    )
    counted = asyncio.run(estimate(parts, [HOUR], redo_retryable, at(180)))
    assert counted.evaluations == {"scripted": 9}
    assert store.usual_lengths("memory", HOUR) == {}
    assert store.flagged_shares("memory", HOUR.start) == {}

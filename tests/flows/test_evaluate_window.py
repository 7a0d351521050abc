"""One hour from listing to summaries: what ends in the store, and what a second run changes."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from flows.backfill_plan import Only, redo_for
from flows.chunks import Chunk, ChunkReport, Clock, chunks_of, evaluate_chunk, remaining
from flows.evaluate_window import WindowReport, evaluate_window
from flows.hour import look_at
from flows.parts import Parts
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Segment
from tailwatch.errors import SourceUnavailableError
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason
from tailwatch.plan import TimingPlan
from tailwatch.sampling import SampleDesign, position
from tailwatch.trace import Trace
from tailwatch.window import Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

HOUR = Window.hour_of(START)
SERIES = Series(evaluator="scripted", version="1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def traces(count: int, **overrides: object) -> list[Trace]:
    return [
        make_trace(source="memory", trace_id=f"t{i}", start_time=at(i), **overrides)
        for i in range(count)
    ]


def run(parts: Parts, *, hours_later: float = 2, run_id: str = "run") -> WindowReport:
    clock = SteppingClock(START + timedelta(hours=hours_later))
    return asyncio.run(evaluate_window(parts, HOUR, run_id=run_id, clock=clock))


def test_every_trace_ends_in_one_recorded_outcome(store: Store) -> None:
    verdicts: dict[str, Outcome] = {
        "t0": Score(value=0.5),
        "t1": Skipped(reason=SkipReason.MISSING_REFERENCE),
        "t2": Failed(error_type="timeout", message="slow", retryable=True),
    }
    evaluator = ScriptedEvaluator(verdict=lambda t: verdicts.get(t.trace_id, Score(value=1.0)))
    source = MemorySource(traces(6), unreadable={"t5"})

    report = run(make_parts(store, source, evaluator))

    (account,) = report.coverage
    assert (account.listed, account.sampled, account.scored) == (6, 6, 3)
    assert account.skipped == {"missing_reference": 1}
    assert account.failed == {"timeout": 1}
    assert account.unreadable == 1
    assert store.coverage("memory", HOUR) == [account]
    assert [e.location for e in store.fetch_errors("memory")] == ["t5"]


def test_a_second_run_finds_nothing_new_but_what_may_succeed_now(store: Store) -> None:
    answers = iter([Failed(error_type="timeout", message="slow", retryable=True)])
    evaluator = ScriptedEvaluator(verdict=lambda _: next(answers, Score(value=1.0)))
    parts = make_parts(store, MemorySource(traces(4)), evaluator)
    run(parts)

    second, third = run(parts), run(parts)

    assert second.chunks.scored == 1
    assert not third.changed
    assert evaluator.seen.count("t0") == 2
    assert len(evaluator.seen) == 5
    (account,) = store.coverage("memory", HOUR)
    assert (account.scored, account.failed) == (4, {})


def test_a_rerun_leaves_every_table_as_it_was(store: Store) -> None:
    parts = make_parts(store, MemorySource(traces(7)), ScriptedEvaluator())
    run(parts)
    before = (store.stats(), store.summaries("memory", HOUR), store.coverage("memory", HOUR))

    run(parts)

    after = (store.stats(), store.summaries("memory", HOUR), store.coverage("memory", HOUR))
    assert after == before


def test_late_traces_are_scored_and_the_hour_is_restated(store: Store) -> None:
    source = MemorySource(traces(3))
    parts = make_parts(store, source, ScriptedEvaluator())
    run(parts)
    source.traces.append(make_trace(source="memory", trace_id="late", start_time=at(30)))

    report = run(parts, hours_later=5)

    assert report.late == 1
    assert report.coverage[0].late == 1
    summary = store.summaries("memory", HOUR, series=SERIES, segment=ALL_TRAFFIC)[0]
    assert (summary.n, summary.restated) == (4, True)


def test_late_traces_of_all_runs_are_counted_once(store: Store) -> None:
    source = MemorySource(traces(3))
    parts = make_parts(store, source, ScriptedEvaluator(), segments=("feature",))
    run(parts)
    found = []
    for number, hours_later in enumerate((3, 5, 7)):
        late = make_trace(source="memory", trace_id=f"late{number}", start_time=at(30 + number))
        source.traces.append(late)
        found.append(run(parts, hours_later=hours_later, run_id=f"run {number}").late)
        run(parts, hours_later=hours_later + 1, run_id=f"again {number}")
    source.traces[0] = replace(source.traces[0], latency_ms=9_000.0)
    assert run(parts, hours_later=9, run_id="relisted").changed

    assert found == [1, 1, 1]
    (account,) = store.coverage("memory", HOUR)
    (record,) = store.windows("memory", HOUR)
    assert (account.late, record.late, record.restated) == (3, 3, 3)


def test_an_unfinished_trace_is_waited_for_and_then_taken_as_it_is(store: Store) -> None:
    unfinished = make_trace(source="memory", trace_id="open", complete=False, start_time=at(5))
    parts = make_parts(
        store,
        MemorySource([*traces(2), unfinished]),
        ScriptedEvaluator(),
        timing=TimingPlan(max_wait=timedelta(hours=1)),
    )

    early = run(parts, hours_later=1.5)
    assert (early.waiting, early.coverage[0].eligible, early.coverage[0].listed) == (1, 2, 3)

    late = run(parts, hours_later=2.5)
    assert (late.waiting, late.coverage[0].scored) == (0, 3)


def test_a_sample_is_scored_with_its_inclusion_probability(store: Store) -> None:
    evaluator = ScriptedEvaluator()
    parts = make_parts(store, MemorySource(traces(20)), evaluator, design=SampleDesign(per_hour=5))

    run(parts)

    expected = sorted((t.trace_id for t in traces(20)), key=position)[:5]
    assert sorted(evaluator.seen) == sorted(expected)
    (stored,) = store.evaluations("memory", expected[0])
    assert stored.inclusion_probability == 5 / 20


def test_a_late_trace_may_take_a_place_in_the_sample_and_the_summary_follows(store: Store) -> None:
    everyone = sorted(traces(9), key=lambda t: position(t.trace_id))
    source = MemorySource(everyone[1:])
    parts = make_parts(store, source, ScriptedEvaluator(), design=SampleDesign(per_hour=3))
    run(parts)
    source.traces.append(everyone[0])

    run(parts, hours_later=5)

    (sample,) = store.score_samples("memory", [SERIES], HOUR, (), 10)
    assert len(sample.values) == 3
    left_out = store.evaluations("memory", everyone[3].trace_id)[0]
    assert left_out.inclusion_probability is None


def test_measures_cover_all_traffic_though_nothing_is_sampled(store: Store) -> None:
    source = MemorySource(traces(20))
    parts = make_parts(
        store, source, ScriptedEvaluator(), design=SampleDesign(per_hour=1), segments=("feature",)
    )

    run(parts)

    assert len(source.fetched) == 1
    latency = Series(evaluator="latency_ms", version="1")
    for segment in (ALL_TRAFFIC, Segment(field="feature", value="search")):
        (summary,) = store.summaries("memory", HOUR, series=latency, segment=segment)
        assert summary.n == 20


def test_chunks_bound_what_is_fetched_at_once(store: Store) -> None:
    heard: list[tuple[int, int]] = []
    parts = make_parts(store, MemorySource(traces(7)), ScriptedEvaluator(), chunk_size=3)
    clock = SteppingClock(START + timedelta(hours=2))

    asyncio.run(
        evaluate_window(
            parts, HOUR, run_id="r", clock=clock, on_chunk=lambda n, of: heard.append((n, of))
        )
    )

    assert heard == [(1, 3), (2, 3), (3, 3)]


@dataclass
class SlowFirstTrace(ScriptedEvaluator):
    """Like one that asks a judge: its first trace is answered only when `awaited` was seen."""

    ends_by_itself: bool = True
    awaited: str = ""

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        self.seen += [trace.trace_id for trace in traces]
        while traces[0].trace_id == "t0" and self.awaited not in self.seen:
            await asyncio.sleep(0)
        return [self.verdict(trace) for trace in traces]


def test_the_next_chunks_questions_are_put_while_one_answer_is_waited_for(store: Store) -> None:
    evaluator = SlowFirstTrace(awaited="t6")
    report = run(make_parts(store, MemorySource(traces(7)), evaluator, chunk_size=3))
    assert report.chunks.scored == 7
    assert evaluator.seen == [f"t{i}" for i in range(7)]


def test_no_more_than_two_chunks_are_under_way(store: Store) -> None:
    under_way, most = 0, 0

    async def counted(parts: Parts, chunk: Chunk, clock: Clock) -> ChunkReport:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await evaluate_chunk(parts, chunk, clock)

    source = MemorySource(traces(9))
    plain = ScriptedEvaluator(name="plain")
    for evaluator, allowed in ((SlowFirstTrace(awaited="t0"), 2), (plain, 1)):
        most = 0
        parts = make_parts(store, source, evaluator, chunk_size=2)
        clock = SteppingClock(START + timedelta(hours=2))
        asyncio.run(evaluate_window(parts, HOUR, run_id="r", clock=clock, run_chunk=counted))
        assert most == allowed


def test_a_chunk_that_fails_ends_the_others_too(store: Store) -> None:
    ended: list[int] = []

    async def broken(parts: Parts, chunk: Chunk, clock: Clock) -> ChunkReport:
        if chunk.number == 1:
            raise SourceUnavailableError("the source is down")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(chunk.number)
        return await evaluate_chunk(parts, chunk, clock)

    parts = make_parts(store, MemorySource(traces(9)), SlowFirstTrace(), chunk_size=2)
    clock = SteppingClock(START + timedelta(hours=2))
    with pytest.raises(SourceUnavailableError):
        asyncio.run(evaluate_window(parts, HOUR, run_id="r", clock=clock, run_chunk=broken))
    assert ended == [0]


def test_an_hour_without_traces_is_done_and_says_so(store: Store) -> None:
    report = run(make_parts(store, MemorySource([]), ScriptedEvaluator()))

    assert report.listed == 0
    assert [w.status for w in store.windows("memory", HOUR)] == ["done"]


def test_a_late_trace_is_not_forgotten_when_a_run_dies_after_listing_it(store: Store) -> None:
    source = MemorySource(traces(20))
    parts = make_parts(store, source, ScriptedEvaluator(), design=SampleDesign(per_hour=1))
    run(parts)
    late = make_trace(source="memory", trace_id="late", start_time=at(30))
    source.traces.append(late)
    store.record_listing([late.ref], START + timedelta(hours=4))

    report = run(parts, hours_later=5)

    assert report.changed
    latency = Series(evaluator="latency_ms", version="1")
    (summary,) = store.summaries("memory", HOUR, series=latency, segment=ALL_TRAFFIC)
    assert (summary.n, summary.restated) == (21, True)


def test_a_second_attempt_at_a_chunk_asks_only_for_what_the_first_did_not_record(
    store: Store,
) -> None:
    evaluator = ScriptedEvaluator()
    parts = make_parts(store, MemorySource(traces(4)), evaluator)
    clock = SteppingClock(START + timedelta(hours=2))
    ((planned, sample),) = asyncio.run(look_at(parts, HOUR, "run", clock)).samples
    refs = [trace.ref for trace in traces(4)]
    (chunk,) = chunks_of(refs, [(planned, sample)], HOUR, "run", 500)
    (half,) = chunks_of(refs[:2], [(planned, sample)], HOUR, "run", 500)
    asyncio.run(evaluate_chunk(parts, half, clock))

    rest = remaining(parts, chunk)

    assert [ref.trace_id for ref in rest.refs] == ["t2", "t3"]
    assert rest.wanted == [(planned, {"t2": 1.0, "t3": 1.0})]
    assert remaining(parts, replace(chunk, run_id="another run")) == replace(
        chunk, run_id="another run"
    )


def test_a_trace_that_is_finished_later_counts_as_eligible_though_no_sample_has_it(
    store: Store,
) -> None:
    first, last = sorted(traces(2), key=lambda t: position(t.trace_id))
    source = MemorySource([first, replace(last, complete=False)])
    parts = make_parts(
        store,
        source,
        ScriptedEvaluator(),
        design=SampleDesign(rate=position(last.trace_id)),
        timing=TimingPlan(max_wait=timedelta(hours=1)),
    )
    run(parts, hours_later=1.5)

    given_up = run(parts, hours_later=3)

    assert given_up.changed
    assert store.coverage("memory", HOUR)[0].eligible == 2
    assert not run(parts, hours_later=4).changed


def test_what_a_listing_says_otherwise_later_reaches_the_measures(store: Store) -> None:
    source = MemorySource([replace(t, latency_ms=100.0, feature="old") for t in traces(3)])
    parts = make_parts(store, source, ScriptedEvaluator(), segments=("feature",))
    run(parts)
    source.traces = [replace(t, latency_ms=900.0, feature="new") for t in source.traces]

    assert run(parts, hours_later=5).changed

    latency = Series(evaluator="latency_ms", version="1")
    summaries = store.summaries("memory", HOUR, series=latency)
    assert [(s.segment.value, s.mean) for s in summaries] == [("", 900.0), ("new", 900.0)]
    assert {s.segment.value for s in store.summaries("memory", HOUR)} == {"", "new"}
    assert not run(parts, hours_later=6).changed


def test_an_hour_that_was_evaluated_before_it_settled_stays_owed(store: Store) -> None:
    parts = make_parts(store, MemorySource(traces(3)), ScriptedEvaluator())

    assert run(parts, hours_later=1.1).chunks.scored == 3
    assert store.owed_windows("memory", HOUR) == [HOUR]

    run(parts, hours_later=2)
    assert store.owed_windows("memory", HOUR) == []


@dataclass
class Unequipped(ScriptedEvaluator):
    """Like one that needs relevance judgements, or an extra."""

    configured: bool = False

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        outcomes = await super().evaluate(traces)
        return outcomes if self.configured else [_NOT_CONFIGURED] * len(traces)


_NOT_CONFIGURED = Skipped(reason=SkipReason.NOT_CONFIGURED)


@pytest.mark.parametrize("only", [each for each in Only if each is not Only.VERSION_CHANGED])
def test_a_backfill_makes_what_was_not_configured_once_it_is(store: Store, only: Only) -> None:
    evaluator = Unequipped()
    source = MemorySource(traces(4))
    parts = make_parts(store, source, evaluator)
    run(parts)
    clock = SteppingClock(START + timedelta(hours=9))

    def backfill() -> WindowReport:
        redo = redo_for(only)
        return asyncio.run(evaluate_window(parts, HOUR, run_id="by hand", clock=clock, redo=redo))

    fetched = len(source.fetched)
    assert not backfill().changed
    assert len(source.fetched) == fetched
    evaluator.configured = True
    assert backfill().chunks.scored == 4
    (account,) = store.coverage("memory", HOUR)
    assert (account.scored, account.skipped) == (4, {})
    assert backfill().chunks.scored == (4 if only is Only.EVERYTHING else 0)

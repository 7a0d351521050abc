"""A part of an hour is recorded, and changes nothing said of the hour until the hour is whole."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.backfill_order import BackfillRequest, chosen_parts, order_of, parts_for
from flows.backfill_plan import Only, estimate, redo_for
from flows.engines.crew import Crew, Engine
from flows.parts import Parts
from flows.runs import run_windows
from flows.sharing import close_if_over, work_on
from storage.claim_records import BackfillJob, JobProgress
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC
from tailwatch.errors import ConfigurationError, SourceError, SourceUnavailableError
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Outcome, Score
from tailwatch.protocols import Page
from tailwatch.sampling import SampleDesign, position
from tailwatch.trace import Trace, TraceRef
from tailwatch.window import HOUR, Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

HOUR_0 = Window(START, START + HOUR)
OLD = Series(evaluator="scripted", version="1")
NEW = Series(evaluator="scripted", version="2")
CLOCK = SteppingClock(START + timedelta(days=2))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def traces(count: int = 12) -> list[Trace]:
    features = ("search", "chat", None)
    return [
        make_trace(source="memory", trace_id=f"t{i}", start_time=at(i), feature=features[i % 3])
        for i in range(count)
    ]


def evaluated(parts: Parts, run_id: str = "first") -> None:
    hours = list(HOUR_0.hours())
    asyncio.run(run_windows(parts, hours, kind="backfill", run_id=run_id, clock=CLOCK))


def backfilled(whole: Parts, request: BackfillRequest) -> tuple[BackfillJob, JobProgress]:
    """What `drive` does, with parts in memory."""
    parts = chosen_parts(request, whole)
    job = whole.store.open_backfill(order_of(request, parts), CLOCK())
    asyncio.run(work_on(parts_for(job, whole), job, clock=CLOCK, poll_s=0.01))
    return job, close_if_over(whole.store, job, CLOCK)


def figures(store: Store) -> list[object]:
    """Everything that is said of the hour."""
    said: list[object] = [
        replace(record, evaluated_at=START) for record in store.windows("memory", HOUR_0)
    ]
    said += store.coverage("memory", HOUR_0)
    said += store.score_samples("memory", [OLD, NEW], HOUR_0, ("feature",), 10)
    return said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"segment": "feature=search"}, {"t0", "t3", "t6", "t9"}),
        ({"segment": "feature=nothing"}, set()),
        ({"max_traces": 5}, {f"t{i}" for i in range(12)}),
        ({"segment": "feature=chat", "max_traces": 2}, {"t1", "t4", "t7", "t10"}),
    ],
)
def test_a_part_is_recorded_and_counts_only_once_the_hour_is_whole(
    store: Store, words: dict[str, Any], expected: set[str]
) -> None:
    source = MemorySource(traces())
    evaluated(make_parts(store, source, ScriptedEvaluator()))
    before = figures(store)
    changed = make_parts(store, source, ScriptedEvaluator(version="2"))
    request = BackfillRequest.of(HOUR_0, **words)

    backfilled(changed, request)

    made = store.recorded("memory", [NEW], HOUR_0)[NEW]
    most = request.narrowing.most or 12
    first = sorted(expected, key=lambda trace_id: position(trace_id))[:most]
    assert set(made) == set(first)
    assert {outcome.inclusion_probability for outcome in made.values()} <= {None}
    assert figures(store) == before

    backfilled(changed, BackfillRequest(window=HOUR_0))
    (account,) = [a for a in store.coverage("memory", HOUR_0) if a.series == NEW]
    assert (account.sampled, account.scored) == (12, 12)
    everything = store.score_samples("memory", [NEW], HOUR_0)
    assert [len(s.values) for s in everything if s.segment == ALL_TRAFFIC] == [12]


def test_an_hour_that_nobody_evaluated_is_still_owed_after_a_part_of_it(store: Store) -> None:
    parts = make_parts(store, MemorySource(traces()), ScriptedEvaluator())
    backfilled(parts, BackfillRequest.of(HOUR_0, max_traces=3))
    assert store.owed_windows("memory", HOUR_0) == [HOUR_0]
    assert store.coverage("memory", HOUR_0) == []
    evaluated(parts)
    assert store.owed_windows("memory", HOUR_0) == []
    (account,) = store.coverage("memory", HOUR_0)
    assert account.scored == 12


def test_failures_of_a_segment_are_mended_in_an_hour_that_counts(store: Store) -> None:
    broken = ScriptedEvaluator(
        verdict=lambda _: Failed(error_type="timeout", message="slow", retryable=False)
    )
    source = MemorySource(traces())
    evaluated(make_parts(store, source, broken))
    mended = make_parts(store, source, ScriptedEvaluator())

    backfilled(mended, BackfillRequest.of(HOUR_0, only=Only.FAILED, segment="feature=search"))

    (account,) = store.coverage("memory", HOUR_0)
    assert (account.scored, dict(account.failed)) == (4, {"timeout": 8})


def test_version_changed_scores_anew_what_was_scored_and_then_counts(store: Store) -> None:
    source = MemorySource(traces(), unreadable={"t5"})
    two = Window(START, START + 2 * HOUR)
    source.traces.append(make_trace(source="memory", trace_id="next", start_time=at(70)))
    evaluated(make_parts(store, source, ScriptedEvaluator()))
    changed = ScriptedEvaluator(version="2")

    _, progress = backfilled(
        make_parts(store, source, changed), BackfillRequest.of(two, only=Only.VERSION_CHANGED)
    )

    assert sorted(changed.seen) == sorted(t.trace_id for t in traces() if t.trace_id != "t5")
    assert progress.counts.scored == 11
    (account,) = [a for a in store.coverage("memory", HOUR_0) if a.series == NEW]
    assert (account.sampled, account.scored, account.unreadable) == (12, 11, 1)
    assert store.owed_windows("memory", two) == [Window(HOUR_0.end, HOUR_0.end + HOUR)]


def test_the_same_first_traces_whatever_the_number_and_an_estimate_counts_them(
    store: Store,
) -> None:
    parts = make_parts(
        store, MemorySource(traces()), ScriptedEvaluator(), design=SampleDesign(per_hour=6)
    )
    few = BackfillRequest.of(HOUR_0, max_traces=2).narrowing
    counted = asyncio.run(estimate(parts, [HOUR_0], redo_for(Only.MISSING), CLOCK(), narrowing=few))
    assert counted.evaluations == {"scripted": 2}
    backfilled(parts, BackfillRequest.of(HOUR_0, max_traces=2))
    first = set(store.recorded("memory", [OLD], HOUR_0)[OLD])
    backfilled(parts, BackfillRequest.of(HOUR_0, max_traces=4))
    assert first < set(store.recorded("memory", [OLD], HOUR_0)[OLD])


def test_what_a_job_recorded_itself_is_not_made_again_when_it_goes_on(store: Store) -> None:
    calls: list[str] = []

    def verdict(trace: Trace) -> Outcome:
        calls.append(trace.trace_id)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return Score(value=1.0)

    evaluator = ScriptedEvaluator(verdict=verdict, batch_size=5)
    parts = make_parts(store, MemorySource(traces()), evaluator)
    everything = BackfillRequest(window=HOUR_0, only=Only.EVERYTHING)
    with pytest.raises(KeyboardInterrupt):
        backfilled(parts, everything)
    recorded = len(store.recorded("memory", [OLD], HOUR_0)[OLD])
    (job,) = store.backfill_jobs("memory")
    store.drop_claims(job.job_id, store.backfill_progress(job.job_id).holders)
    again, progress = backfilled(parts, everything)
    assert (again.job_id, progress.done) == (job.job_id, 1)
    assert len(calls) == 11 + 12 - recorded


class _Patchy(MemorySource):
    """Cannot list the second hour."""

    async def list_traces(
        self, window: Window, cursor: str | None = None, limit: int = 1000
    ) -> Page[TraceRef]:
        if window.start == HOUR_0.end:
            raise SourceError("the archive of that hour is gone")
        return await super().list_traces(window, cursor, limit)


def test_an_hour_that_cannot_be_listed_fails_and_the_others_go_on(store: Store) -> None:
    parts = make_parts(store, _Patchy(traces()), ScriptedEvaluator())
    three = BackfillRequest(window=Window(START, START + 3 * HOUR))
    job, progress = backfilled(parts, three)
    assert progress.hours == {"done": 2, "failed": 1}
    assert [t.error for t in progress.troubles] == ["the archive of that hour is gone"]
    found = store.backfill_job(job.job_id)
    assert found is not None
    assert found.state == "failed"
    mended = make_parts(store, MemorySource(traces()), ScriptedEvaluator())
    again, progress = backfilled(mended, three)
    assert (again.job_id, progress.done) == (job.job_id, 3)


def test_a_source_that_is_away_ends_the_worker_and_not_the_job(store: Store) -> None:
    source = MemorySource(traces(), down=True)
    parts = make_parts(store, source, ScriptedEvaluator())
    ten = BackfillRequest(window=Window(START, START + 10 * HOUR))
    with pytest.raises(SourceUnavailableError):
        backfilled(parts, ten)
    (job,) = store.backfill_jobs("memory")
    assert store.backfill_progress(job.job_id).hours == {"open": 10}


def test_a_worker_with_another_plan_is_refused(store: Store) -> None:
    source = MemorySource(traces())
    parts = make_parts(store, source, ScriptedEvaluator())
    job = store.open_backfill(order_of(BackfillRequest(window=HOUR_0), parts), CLOCK())
    with pytest.raises(ConfigurationError, match="scripted v1, which this worker's plan does not"):
        parts_for(job, make_parts(store, source, ScriptedEvaluator(version="2")))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Crew(workers=2), "several terminals"),
        (lambda: Crew(engine=Engine.DASK), "--dask-address"),
        (lambda: Crew(engine=Engine.PREFECT, dask_address="tcp://x:1"), "--engine dask"),
        (lambda: Crew(engine=Engine.PREFECT, workers=0), "1 or more"),
        (lambda: Crew(engine=Engine.PREFECT).check_store("sqlite:///x.db"), "PostgreSQL store"),
        (lambda: BackfillRequest.of(HOUR_0, segment="search"), "FIELD=VALUE"),
        (lambda: BackfillRequest.of(HOUR_0, segment="thumb=1"), "FIELD=VALUE"),
        (lambda: BackfillRequest.of(HOUR_0, max_traces=0), "1 or more"),
        (lambda: BackfillRequest.of(HOUR_0, budget_usd=0.0), "above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(made: object, says: str) -> None:
    assert callable(made)
    with pytest.raises(ConfigurationError, match=says):
        made()


@pytest.mark.parametrize(("restating", "left"), [("another run", "another run"), (None, None)])
def test_some_evaluators_alone_do_not_finish_what_another_run_left_half_restated(
    store: Store, restating: str | None, left: str | None
) -> None:
    parts = make_parts(
        store, MemorySource(traces()), ScriptedEvaluator(), ScriptedEvaluator(name="other")
    )
    evaluated(parts)
    if restating is not None:
        store.begin_restating("memory", HOUR_0, restating)
    again = BackfillRequest.of(HOUR_0, evaluators=["other"], only=Only.EVERYTHING)

    backfilled(parts, again)

    (record,) = store.windows("memory", HOUR_0)
    assert record.restating == left
    evaluated(parts, "whole")
    assert store.owed_windows("memory", HOUR_0) == []

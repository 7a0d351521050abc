"""Which hours a run takes, and how it ends."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from flows.parts import JudgeTerms
from flows.runs import due_windows, run_windows
from storage.store import Store
from tailwatch.errors import SourceUnavailableError
from tailwatch.judge_calls import Caps
from tailwatch.plan import TimingPlan
from tailwatch.window import HOUR, Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

TIMING = TimingPlan(catch_up=10, look_back=timedelta(hours=2), settle=timedelta(minutes=10))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def hours_back(moment: Window, *counts: int) -> list[Window]:
    return [Window(moment.start - n * HOUR, moment.end - n * HOUR) for n in counts]


def evaluate(store: Store, source: MemorySource, windows: list[Window], run_id: str) -> None:
    parts = make_parts(store, source, ScriptedEvaluator())
    clock = SteppingClock(START + timedelta(days=3))
    asyncio.run(run_windows(parts, windows, kind="hourly", run_id=run_id, clock=clock))


def test_the_newest_hour_is_the_last_that_settled(store: Store) -> None:
    assert due_windows(store, "memory", TIMING, at(9))[0] == Window.hour_of(at(-120))
    assert due_windows(store, "memory", TIMING, at(10))[0] == Window.hour_of(at(-60))


def test_an_outage_is_caught_up_newest_first_and_bounded(store: Store) -> None:
    now = at(30) + timedelta(hours=40)
    last = Window.last_settled(now, TIMING.settle)

    due = due_windows(store, "memory", TIMING, now)

    assert due == hours_back(last, *range(10))


def test_done_hours_are_looked_at_again_within_the_look_back_only(store: Store) -> None:
    now = at(30) + timedelta(hours=40)
    last = Window.last_settled(now, TIMING.settle)
    done = hours_back(last, 0, 1, 2, 3, 5)
    evaluate(store, MemorySource([]), done, "earlier")

    due = due_windows(store, "memory", TIMING, now)

    assert due == hours_back(last, 4, 6, 7, 8, 9, 0, 1)


def test_a_run_is_recorded_with_its_counts(store: Store) -> None:
    traces = [make_trace(source="memory", trace_id=f"t{i}", start_time=at(i)) for i in range(5)]

    evaluate(store, MemorySource(traces), [Window.hour_of(START)], "r1")

    (record,) = store.runs()
    assert (record.status, record.kind) == ("done", "hourly")
    assert record.counts["scored"] == 5


def test_a_dead_source_fails_the_run_and_leaves_the_hour_owed(store: Store) -> None:
    hour = Window.hour_of(START)

    with pytest.raises(SourceUnavailableError):
        evaluate(store, MemorySource([], down=True), [hour], "r1")

    assert store.owed_windows("memory", hour) == [hour]
    (record,) = store.runs()
    assert record.status == "failed"
    assert "the source is down" in (record.error or "")


def test_a_run_that_fails_still_says_what_it_paid(store: Store) -> None:
    paid = iter([0.25, 1.0])
    begun: list[tuple[str, bool]] = []
    terms = JudgeTerms(
        model="m",
        caps=Caps(run_usd=2.0),
        worst_case_usd=0.1,
        spent_usd=lambda: next(paid, 1.0),
        begin=lambda run_id, ask_again: begun.append((run_id, ask_again)),
    )
    parts = replace(make_parts(store, MemorySource([], down=True)), judge=terms)
    clock = SteppingClock(START + timedelta(days=3))

    with pytest.raises(SourceUnavailableError):
        asyncio.run(
            run_windows(parts, [Window.hour_of(START)], kind="hourly", run_id="r", clock=clock)
        )

    assert store.runs()[0].cost_usd == 0.75
    assert begun == [("r", False)]

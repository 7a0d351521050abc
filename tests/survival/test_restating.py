"""A done hour that changes, and a run that is killed at each step of restating it."""

import asyncio
import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.evaluate_window import evaluate_window
from flows.runs import due_windows
from storage.database import Database, store_url
from storage.store import Store
from tailwatch.outcome import Outcome, Score
from tailwatch.plan import KeepText, TimingPlan
from tailwatch.sampling import SampleDesign, position
from tailwatch.trace import Feedback, FeedbackKind, Trace
from tailwatch.window import Window
from tests.builders import START, at, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

THE_HOUR = Window.hour_of(START)
_children = multiprocessing.get_context("forkserver")
_children.set_forkserver_preload(["tests.survival.story"])


class DyingStore(Store):
    """A store whose process is killed the moment it is asked for one of its methods."""

    dies_in = ""

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "dies_in"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getattribute__(name)


def _before() -> list[Trace]:
    return [make_trace(source="memory", trace_id=f"t{i}", start_time=at(i)) for i in range(24)]


def _thumbs() -> list[Trace]:
    """People said what they think: three traces are flagged, and all weights are others."""
    down = (Feedback(kind=FeedbackKind.THUMB, value=-1.0),)
    return [replace(t, feedback=down) if n % 8 == 3 else t for n, t in enumerate(_before())]


def _late() -> list[Trace]:
    late = [make_trace(source="memory", trace_id=f"l{i}", start_time=at(i)) for i in range(6)]
    return [*_before(), *late]


def _latency() -> list[Trace]:
    """Only a measure changed: no sample, no score and no number of traces."""
    return [replace(trace, latency_ms=9_000.0) for trace in _before()]


CHANGES = {"thumbs": _thumbs, "late": _late, "latency": _latency}


def _score(trace: Trace) -> Outcome:
    return Score(value=position(trace.trace_id))


def _run(store: Store, traces: list[Trace], hours_later: float, run_id: str) -> None:
    parts = make_parts(
        store,
        MemorySource(traces),
        ScriptedEvaluator(verdict=_score),
        design=SampleDesign(per_hour=8, flagged_share=0.25),
        segments=("feature",),
    )
    clock = SteppingClock(START + timedelta(hours=hours_later))
    asyncio.run(evaluate_window(parts, THE_HOUR, run_id=run_id, clock=clock))


def _run_and_die(url: str, change: str, dies_in: str) -> None:
    with DyingStore(Database(store_url(url)), KeepText.FULL) as store:
        store.dies_in = dies_in
        _run(store, CHANGES[change](), 5, "killed")


def _figures(store: Store) -> list[object]:
    """Everything that is said of the hour, but for when and by whom."""
    windows = [
        replace(w, run_id="", evaluated_at=START, attempts=0)
        for w in store.windows("memory", THE_HOUR)
    ]
    return [
        windows,
        store.coverage("memory", THE_HOUR),
        store.summaries("memory", THE_HOUR),
        store.listed("memory", THE_HOUR),
    ]


KILLED = [
    ("latency", "record_listing"),
    ("latency", "recorded"),
    ("late", "recorded"),
    ("late", "record"),
    ("thumbs", "set_sample"),
    ("thumbs", "restate_summaries"),
    ("late", "restate_summaries"),
    ("late", "record_coverage"),
    ("thumbs", "finish_window"),
]


@pytest.mark.parametrize(("change", "dies_in"), KILLED)
def test_a_killed_restatement_is_owed_and_finished_by_the_next_run(
    store: Store, store_url: str, tmp_path: Path, change: str, dies_in: str
) -> None:
    with migrated_store(tmp_path / "quiet") as quiet:
        _run(quiet, _before(), 2, "first")
        _run(quiet, CHANGES[change](), 5, "second")
        undisturbed = _figures(quiet)
    _run(store, _before(), 2, "first")
    assert _figures(store) != undisturbed

    process = _children.Process(target=_run_and_die, args=(store_url, change, dies_in))
    process.start()
    process.join(60)

    assert process.exitcode == -signal.SIGKILL
    long_after = START + timedelta(hours=20)
    due = due_windows(store, "memory", TimingPlan(look_back=timedelta(0)), long_after)
    assert THE_HOUR in due
    _run(store, CHANGES[change](), 20, "again")
    assert _figures(store) == undisturbed
    assert store.owed_windows("memory", THE_HOUR) == []

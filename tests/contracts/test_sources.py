"""Every source in the index keeps the promises of `TraceSource`.

A new source joins with one function that puts traces where the source finds them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.index import SOURCES, build_source
from tailwatch.errors import ConfigurationError, UnknownNameError
from tailwatch.plan import SourcePlan
from tailwatch.protocols import TraceSource
from tailwatch.trace import FetchError, Trace
from tailwatch.window import HOUR, Window
from tests.builders import START, at, make_trace
from tests.sources.trace_files import fetched, listed, trace_line, write

Stage = Callable[[Path, Sequence[Trace]], Mapping[str, object]]
"""Puts traces into a place below the folder and gives the options that find them there."""


def stage_files(folder: Path, traces: Sequence[Trace]) -> Mapping[str, object]:
    half = len(traces) // 2
    write(folder / "a.jsonl", [trace_line(trace) for trace in traces[:half]])
    write(folder / "b.gz", [trace_line(trace) for trace in traces[half:]], packed=True)
    return {"path": [str(folder / "*.jsonl"), str(folder / "*.gz")]}


STAGES: dict[str, Stage] = {"files": stage_files}

every_source = pytest.mark.parametrize("name", SOURCES)


def staged(name: str, folder: Path, traces: Sequence[Trace]) -> TraceSource:
    options = STAGES[name](folder, traces)
    return build_source(SourcePlan(use=name, name="test", options=options))


def traces_at(minutes: Sequence[float]) -> list[Trace]:
    return [
        make_trace(trace_id=f"t{number}", start_time=at(minute))
        for number, minute in enumerate(minutes)
    ]


def test_every_source_is_under_contract() -> None:
    assert STAGES.keys() == SOURCES.keys()


@every_source
def test_it_is_a_trace_source_of_its_name(name: str, tmp_path: Path) -> None:
    source = staged(name, tmp_path, traces_at([0]))
    assert isinstance(source, TraceSource)
    assert source.name == "test"


@every_source
def test_windows_are_half_open(name: str, tmp_path: Path) -> None:
    tick = timedelta(microseconds=1) / timedelta(minutes=1)
    source = staged(name, tmp_path, traces_at([-tick, 0, 60 - tick, 60]))
    refs, errors = listed(source, Window(START, START + HOUR))
    assert [ref.trace_id for ref in refs] == ["t1", "t2"]
    assert errors == []


@every_source
@settings(max_examples=25, deadline=None)
@given(
    minutes=st.lists(st.integers(-30, 90), max_size=25),
    limit=st.integers(1, 30),
)
def test_pages_of_any_size_bring_each_trace_once_in_order(
    name: str, minutes: list[int], limit: int
) -> None:
    with TemporaryDirectory() as folder:
        source = staged(name, Path(folder), traces_at(minutes))
        refs, _ = listed(source, Window(START, START + HOUR), limit)
    expected = sorted(
        (minute, f"t{number}") for number, minute in enumerate(minutes) if 0 <= minute < 60
    )
    assert [(ref.start_time, ref.trace_id) for ref in refs] == [
        (at(minute), trace_id) for minute, trace_id in expected
    ]


@every_source
def test_a_fetched_trace_is_the_one_that_was_put_there(name: str, tmp_path: Path) -> None:
    traces = traces_at(range(40))
    source = staged(name, tmp_path, traces)
    refs, _ = listed(source)
    assert refs == [trace.ref for trace in traces]
    items = fetched(source, refs)
    assert sorted(items, key=lambda item: item.trace_id or "") == sorted(
        traces, key=lambda trace: trace.trace_id
    )


@every_source
def test_fetch_gives_one_item_for_each_ref(name: str, tmp_path: Path) -> None:
    source = staged(name, tmp_path, traces_at([0, 1, 2]))
    refs, _ = listed(source)
    gone = make_trace(trace_id="gone").ref
    elsewhere = make_trace(trace_id="t0", source="elsewhere").ref
    items = fetched(source, [*refs, refs[1], gone, elsewhere])
    assert sorted(i.trace_id or "" for i in items) == ["gone", "t0", "t0", "t1", "t1", "t2"]
    assert {i.trace_id for i in items if isinstance(i, FetchError)} == {"gone", "t0"}
    assert fetched(source, []) == []


@every_source
def test_a_ref_of_another_process_can_be_fetched(name: str, tmp_path: Path) -> None:
    traces = traces_at([0])
    assert fetched(staged(name, tmp_path, traces), [traces[0].ref]) == traces


@every_source
def test_a_listing_goes_on_in_another_process(name: str, tmp_path: Path) -> None:
    window = Window(START, START + HOUR)
    first = asyncio.run(staged(name, tmp_path, traces_at([0, 1, 2])).list_traces(window, limit=2))
    again = staged(name, tmp_path, traces_at([0, 1, 2]))
    rest = asyncio.run(again.list_traces(window, first.next_cursor))
    assert [ref.trace_id for ref in (*first.items, *rest.items)] == ["t0", "t1", "t2"]


@every_source
def test_a_healthy_place_says_so(name: str, tmp_path: Path) -> None:
    health = asyncio.run(staged(name, tmp_path, traces_at([0])).check())
    assert health.ok
    assert "2026-03-02 10:00 UTC" in health.sentence


@every_source
def test_a_wrong_option_is_named(name: str) -> None:
    plan = SourcePlan(use=name, name="test", options={"no_such_option": 1})
    with pytest.raises(ConfigurationError, match="no_such_option"):
        build_source(plan)


def test_an_unknown_source_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no source is called 'langfoo'; known: files"):
        build_source(SourcePlan(use="langfoo", name="test"))

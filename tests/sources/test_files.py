"""The files source among files as they are: cut off, packed, rewritten, vanished, unreadable."""

import asyncio
import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.file_lines import MAX_LINE_BYTES
from sources.file_scan import MAX_ERRORS_PER_FILE
from sources.files import FilesSource, files_source
from tailwatch.errors import ConfigurationError, SourceError
from tailwatch.trace import FetchError, Trace
from tests.builders import at, make_trace
from tests.sources.trace_files import (
    ALL_DAY,
    everything,
    fetched,
    listed,
    record_line,
    trace_line,
    write,
)


def source_of(*patterns: object) -> FilesSource:
    return files_source("test", {"path": list(patterns)})


def line(trace_id: str, **fields: object) -> str:
    return trace_line(make_trace(trace_id=trace_id), **fields)


def ids(source: FilesSource) -> list[str]:
    return [ref.trace_id for ref in listed(source)[0]]


def test_bad_lines_are_told_with_file_and_number_and_end_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    too_long = b'{"trace_id": "' + b"x" * MAX_LINE_BYTES + b'"}'
    write(path, [line("a"), "", "{oops", b"\xff\xfe", too_long, "[]", line("b"), record_line()])
    source = source_of(path)
    refs, errors = listed(source)
    assert [ref.trace_id for ref in refs] == ["a", "b", "r1"]
    assert [error.location for error in errors] == [f"{path}:{n}" for n in (3, 4, 5, 6)]
    assert "longer than 16 MiB" in errors[2].message
    assert "4 malformed lines" in asyncio.run(source.check()).sentence
    assert listed(source)[1] == []
    assert listed(source_of(path))[1] == errors


def test_impossible_traces_are_listed_and_not_fetched(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        [
            line("good"),
            line("late", end_time="2020-01-01T00:00:00Z"),
            record_line(trace_id="row", output_tokens=-4),
            record_line(trace_id="row", span_id="s2"),
            record_line(trace_id="orphan", parent_id="gone"),
        ],
    )
    source = source_of(path)
    refs, errors = listed(source)
    assert errors == []
    assert {ref.trace_id for ref in refs} == {"good", "late", "row", "orphan"}
    assert next(ref for ref in refs if ref.trace_id == "row").output_tokens is None
    items = everything(source)
    assert isinstance(items.pop("good"), Trace)
    told = {
        name: (item.location, item.message)
        for name, item in items.items()
        if isinstance(item, FetchError)
    }
    assert told.keys() == {"late", "row", "orphan"}
    assert told["late"][0] == f"{path}:2"
    assert "is before start_time" in told["late"][1]
    assert told["row"] == (f"{path}:3", "output_tokens is -4; it must be 0 or more, or left out")
    assert told["orphan"][0] == f"{path}:5"


@pytest.mark.parametrize("packed", [False, True])
def test_bom_crlf_blanks_and_a_missing_last_newline(tmp_path: Path, packed: bool) -> None:
    text = f"\ufeff{line('a')}\r\n\r\n  \n{line('b')}\r\n{line('c')}".encode()
    path = tmp_path / "odd.name"
    path.write_bytes(gzip.compress(text) if packed else text)
    assert everything(source_of(path)).keys() == {"a", "b", "c"}
    assert listed(source_of(path))[1] == []


def test_a_last_line_may_still_be_being_written(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [line("a")])
    whole = line("b")
    source = source_of(path)
    with path.open("a") as file:
        file.write(whole[:50])
        file.flush()
        refs, errors = listed(source)
        assert ([ref.trace_id for ref in refs], errors) == (["a"], [])
        file.write(whole[50:] + "\n{broken\n")
    refs, errors = listed(source)
    assert [ref.trace_id for ref in refs] == ["a", "b"]
    assert [error.location for error in errors] == [f"{path}:3"]


def test_a_gzip_file_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "t.gz", [line(f"t{n}") for n in range(400)], packed=True)
    path.write_bytes(path.read_bytes()[:-400])
    source = source_of(path)
    refs, errors = listed(source)
    assert 0 < len(refs) < 400
    assert [error.location for error in errors] == [f"{path}:{len(refs) + 1}"]
    assert "end early or are damaged" in errors[0].message
    assert all(isinstance(item, Trace) for item in fetched(source, refs))


def test_the_later_line_of_a_trace_counts(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", [line("t", output="newest")])
    write(tmp_path / "a.jsonl", [line("t", output="old"), line("t", output="newer")])
    items = everything(source_of(tmp_path / "*.jsonl"))
    assert isinstance(items["t"], Trace)
    assert items["t"].output == "newest"


def test_rows_of_one_trace_are_joined_across_files_and_repeats_dropped(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [record_line(span_id="a", output="old"), record_line(span_id="b")])
    write(tmp_path / "b.gz", [record_line(span_id="a", timestamp=at(1).isoformat())], packed=True)
    items = everything(source_of(tmp_path / "a.jsonl", tmp_path / "b.gz"))
    trace = items["r1"]
    assert isinstance(trace, Trace)
    assert [span.span_id for span in trace.spans] == ["root", "b", "a"]
    assert trace.input_tokens == 200


def test_new_changed_and_vanished_files_are_noticed(tmp_path: Path) -> None:
    source = source_of(tmp_path / "**/*.jsonl")
    write(tmp_path / "a.jsonl", [line("a")])
    assert ids(source) == ["a"]
    (tmp_path / "deep/er").mkdir(parents=True)
    write(tmp_path / "deep/er/b.jsonl", [line("b"), line("c")])
    assert ids(source) == ["a", "b", "c"]
    write(tmp_path / "a.jsonl", [line("a2"), line("a3")])
    assert ids(source) == ["a2", "a3", "b", "c"]
    refs, _ = listed(source)
    (tmp_path / "a.jsonl").unlink()
    items = fetched(source, refs)
    gone = [item for item in items if isinstance(item, FetchError)]
    assert len(items) == 4
    assert {(item.trace_id, item.message) for item in gone} == {
        ("a2", "the file cannot be read: No such file or directory"),
        ("a3", "the file cannot be read: No such file or directory"),
    }
    assert ids(source) == ["b", "c"]


def test_a_line_that_changed_after_the_listing_is_not_taken_for_another(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line("a"), line("b")])
    source = source_of(path)
    refs, _ = listed(source)
    write(path, [line("x"), line("b")])
    items = {item.trace_id: item for item in fetched(source, refs)}
    assert isinstance(items["b"], Trace)
    assert isinstance(items["a"], FetchError)
    assert "has changed since it was listed" in items["a"].message


def test_one_unreadable_file_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [line("a")])
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "nowhere")
    refs, errors = listed(source_of(tmp_path / "*.jsonl"))
    assert [ref.trace_id for ref in refs] == ["a"]
    assert [error.location for error in errors] == [str(tmp_path / "b.jsonl")]
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(SourceError, match="none of the files can be read"):
        listed(source_of(tmp_path / "*.jsonl"))


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [record_line()])
    (tmp_path / "current.jsonl").symlink_to(path)
    (tmp_path / "hard.jsonl").hardlink_to(path)
    source = source_of(tmp_path / "*.jsonl")
    assert "1 trace in 1 file," in asyncio.run(source.check()).sentence


def test_a_wrong_path_never_looks_like_an_empty_hour(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        "*.jsonl": r"no file matches .*\*\.jsonl' \(looked from .*\); give a file or a glob",
        "gone.jsonl": "there is no file .*gone.jsonl",
        ".": "is a directory; write .*jsonl",
        "pipe": "is not a regular file",
    }
    for name, told in wrong.items():
        source = source_of(tmp_path / name)
        with pytest.raises(SourceError, match=told):
            listed(source)
        health = asyncio.run(source.check())
        assert not health.ok
        assert str(tmp_path) in health.sentence


def test_brackets_in_a_real_name_are_no_glob(tmp_path: Path) -> None:
    path = write(tmp_path / "log[1].jsonl", [line("a")])
    assert ids(source_of(path)) == ["a"]


def test_relative_globs_start_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.jsonl", [line("a"), "{"])
    monkeypatch.chdir(tmp_path)
    refs, errors = listed(files_source("test", {"path": "*.jsonl"}))
    assert [ref.trace_id for ref in refs] == ["a"]
    assert [error.location for error in errors] == ["a.jsonl:2"]


def test_a_file_of_something_else_is_told_without_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ["no json"] * (MAX_ERRORS_PER_FILE + 5))
    source = source_of(path)
    _, errors = listed(source)
    assert len(errors) == MAX_ERRORS_PER_FILE + 1
    assert errors[-1].message == "5 more malformed lines"
    assert not asyncio.run(source.check()).ok


@pytest.mark.parametrize("options", [{}, {"path": []}, {"path": ""}, {"path": 5}, {"paths": "x"}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="source `files`, option path"):
        files_source("test", options)


@pytest.mark.parametrize("cursor", ["", "x", "2026-03-02T10:00:00 a", "2026-03-02T10:00:00+00:00"])
def test_a_foreign_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    source = source_of(write(tmp_path / "a.jsonl", [line("a")]))
    with pytest.raises(SourceError, match="is not a cursor of this source"):
        asyncio.run(source.list_traces(ALL_DAY, cursor))


@settings(max_examples=30, deadline=None)
@given(junk=st.lists(st.binary(max_size=60), max_size=6), packed=st.booleans())
def test_good_lines_survive_any_neighbours(
    tmp_path_factory: pytest.TempPathFactory, junk: Sequence[bytes], packed: bool
) -> None:
    path = tmp_path_factory.mktemp("junk") / "t"
    good = [line(f"good-{number}") for number in range(len(junk) + 1)]
    mixed = [one for pair in zip(good, junk, strict=False) for one in pair]
    write(path, [*mixed, good[-1]], packed=packed)
    items = everything(source_of(path))
    assert {f"good-{number}" for number in range(len(good))} <= items.keys()

"""The index of the files source: read once, read on, remade, shared, and never wrong for it."""

import gzip
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.file_catalog import FORMAT
from sources.files import FilesSource, files_source
from tailwatch.errors import SourceUnavailableError
from tests.builders import at, make_trace
from tests.sources.trace_files import everything, listed, record_line, trace_line, write

PADDING = "x" * 5000


def line(trace_id: str) -> str:
    return trace_line(make_trace(trace_id=trace_id, output=PADDING))


def source_of(folder: Path, pattern: str = "*.jsonl") -> FilesSource:
    return files_source("test", {"path": str(folder / pattern)}, folder / "cache")


def ids(source: FilesSource) -> list[str]:
    return [ref.trace_id for ref in listed(source)[0]]


def index_of(folder: Path) -> Path:
    (index,) = (folder / "cache").glob("*.index")
    return index


def change_unseen(path: Path, before: str, after: str) -> None:
    """Changes the contents so that neither size nor time of change tell."""
    stamp = path.stat()
    path.write_bytes(path.read_bytes().replace(before.encode(), after.encode()))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def test_a_file_that_was_read_is_not_read_again_by_the_next_process(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [line("aa"), "{oops", line("bb")])
    first = listed(source_of(tmp_path))
    change_unseen(path, '"aa"', '"zz"')
    assert listed(source_of(tmp_path)) == first


def test_a_file_that_grew_is_read_on_from_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [line("aa"), line("bb"), line("cc")])
    assert ids(source_of(tmp_path)) == ["aa", "bb", "cc"]
    change_unseen(path, '"bb"', '"zz"')
    with path.open("a") as file:
        file.write("{oops\n" + line("dd") + "\n")
    refs, errors = listed(source_of(tmp_path))
    assert [ref.trace_id for ref in refs] == ["aa", "bb", "cc", "dd"]
    assert [error.location for error in errors] == [f"{path}:4"]


def test_a_file_that_was_emptied_and_filled_anew_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [line("aa")])
    assert ids(source_of(tmp_path)) == ["aa"]
    with path.open("r+") as file:
        file.truncate()
        file.write("\n".join([line("xx"), line("yy"), ""]))
    assert ids(source_of(tmp_path)) == ["xx", "yy"]


def test_rows_and_repeats_that_come_or_go_change_the_trace_they_belong_to(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [record_line(span_id="a", timestamp=at(5).isoformat())])
    assert listed(source_of(tmp_path))[0][0].start_time == at(5)
    write(tmp_path / "b.jsonl", [record_line(span_id="b", timestamp=at(1).isoformat())])
    assert listed(source_of(tmp_path))[0][0].start_time == at(1)
    late = trace_line(make_trace(trace_id="r1", start_time=at(9)))
    write(tmp_path / "c.jsonl", [late])
    assert listed(source_of(tmp_path))[0][0].start_time == at(9)
    (tmp_path / "c.jsonl").unlink()
    (tmp_path / "b.jsonl").unlink()
    assert listed(source_of(tmp_path))[0][0].start_time == at(5)
    write(tmp_path / "a.jsonl", [line("other")])
    assert ids(source_of(tmp_path)) == ["other"]


@pytest.mark.parametrize("damage", ["text", "format", "cut"])
def test_an_index_that_cannot_be_used_is_made_again(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "t.jsonl", [line("aa")])
    assert ids(source_of(tmp_path)) == ["aa"]
    index = index_of(tmp_path)
    if damage == "text":
        index.write_text("this is no database, whatever its name may say")
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[:5000])
    else:
        with sqlite3.connect(index) as db:
            db.execute(f"PRAGMA user_version = {FORMAT + 1}")
            db.execute("DELETE FROM traces")
        db.close()
    assert ids(source_of(tmp_path)) == ["aa"]


def test_an_index_that_breaks_while_it_is_used_is_told_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", [line("aa")])
    source = source_of(tmp_path)
    assert ids(source) == ["aa"]
    with sqlite3.connect(index_of(tmp_path)) as db:
        db.execute("DROP TABLE lines")
    db.close()
    with pytest.raises(SourceUnavailableError, match="may be deleted, and is made again"):
        listed(source)


@settings(max_examples=15, deadline=None)
@given(
    parts=st.lists(
        st.lists(st.sampled_from(["t:a", "t:b", "r:a", "r:c", "r:c2", "x"]), max_size=4),
        min_size=1,
        max_size=4,
    ),
    packed=st.booleans(),
)
def test_reading_on_gives_what_reading_it_all_gives(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("grown")
    path = folder / "t.jsonl"
    written = b""
    for number, part in enumerate(parts):
        lines = [_a_line(kind, minute=10 - number) for kind in part]
        written += b"".join(one.encode() + b"\n" for one in lines)
        path.write_bytes(gzip.compress(written) if packed else written)
        if written:
            listed(source_of(folder))
    grown, afresh = source_of(folder), files_source("test", {"path": str(path)})
    assert listed(grown) == listed(afresh)
    assert everything(grown) == everything(afresh)


def _a_line(kind: str, minute: int) -> str:
    if kind == "x":
        return "no json"
    if kind.startswith("t:"):
        return trace_line(make_trace(trace_id=kind[2:], start_time=at(minute)))
    return record_line(
        trace_id=kind[2], span_id=f"{kind}{minute}", timestamp=at(minute).isoformat()
    )


def many(folder: Path) -> list[str]:
    names = [f"t{number:05d}" for number in range(9_000)]
    write(folder / "t.jsonl", [trace_line(make_trace(trace_id=name)) for name in names])
    return names


def _list(folder: Path) -> None:
    listed(source_of(folder), limit=1)


def _started(target: Callable[[Path], None], folder: Path) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=(folder,))
    process.start()
    return process


def test_two_processes_may_make_the_index_at_once(tmp_path: Path) -> None:
    names = many(tmp_path)
    processes = [_started(_list, tmp_path) for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert ids(source_of(tmp_path)) == names


def test_an_index_that_was_being_made_when_its_process_was_killed_goes_on(tmp_path: Path) -> None:
    names = many(tmp_path)
    process = _started(_list, tmp_path)
    while not _some_lines(tmp_path):
        assert process.is_alive()
        time.sleep(0.002)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(60)
    with sqlite3.connect(index_of(tmp_path)) as db:
        (done,) = db.execute("SELECT count(*) FROM lines").fetchone()
    db.close()
    assert 0 < done <= len(names)
    assert ids(source_of(tmp_path)) == names


def _some_lines(folder: Path) -> bool:
    indexes = list((folder / "cache").glob("*.index"))
    if not indexes:
        return False
    db = sqlite3.connect(indexes[0], timeout=60)
    try:
        return bool(db.execute("SELECT count(*) FROM lines").fetchone()[0])
    except sqlite3.OperationalError:
        return False
    finally:
        db.close()

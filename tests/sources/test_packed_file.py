"""Packed files read from anywhere: the same bytes as an unpacker that starts at the beginning."""

import gzip
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.file_lines import CutOffError, line_at, open_lines, read_lines
from sources.packed_file import MOST_FILES, MOST_PLACES, PackedFiles

_LETTERS = random.Random(5).randbytes(200_000).hex().encode()


def lines(count: int) -> list[bytes]:
    """Lines of very different sizes that hardly repeat."""
    choose = random.Random(count)
    return [
        b"%d %s" % (n, _LETTERS[(at := choose.randrange(390_000)) : at + choose.randrange(9_000)])
        for n in range(count)
    ]


def packed(path: Path, content: list[bytes], members: int = 1) -> list[int]:
    """Writes the lines as so many gzip members, with zeros between; returns where they start."""
    size = -(-len(content) // members)
    parts = [content[i : i + size] for i in range(0, len(content), size)]
    path.write_bytes(b"\0\0\0".join(gzip.compress(b"\n".join([*p, b""]), 1) for p in parts))
    starts = [0]
    for line in content:
        starts.append(starts[-1] + len(line) + 1)
    return starts[:-1]


@pytest.mark.parametrize("members", [1, 7])
def test_any_order_of_lines_reads_as_from_the_start(tmp_path: Path, members: int) -> None:
    content = lines(3_000)  # some 13 MB
    starts = packed(tmp_path / "t.gz", content, members)
    files = PackedFiles()
    choose = random.Random(members)
    for _ in range(6):
        some = choose.sample(range(len(content)), 40)
        if choose.random() < 0.5:
            some.sort()
        with open_lines(tmp_path / "t.gz", files) as (file, is_packed):
            assert is_packed
            assert [line_at(file, starts[n]) for n in some] == [content[n] for n in some]


@settings(max_examples=30)
@given(
    content=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=60),
    members=st.integers(1, 4),
    at=st.lists(st.integers(0, 59), max_size=10),
)
def test_small_files_read_as_plain_ones(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], members: int, at: list[int]
) -> None:
    path = tmp_path_factory.mktemp("packed") / "t.gz"
    starts = packed(path, content or [b""], members)
    numbers = [n for n in at if n < len(starts)]
    with open_lines(path) as (whole, _):
        expected = [line_at(whole, starts[n]) for n in numbers]
    with open_lines(path, PackedFiles()) as (file, _):
        assert [line_at(file, starts[n]) for n in numbers] == expected


def test_what_was_read_before_is_not_unpacked_again(tmp_path: Path) -> None:
    content = lines(3_000)
    starts = packed(tmp_path / "t.gz", content)
    files = PackedFiles()
    with open_lines(tmp_path / "t.gz", files) as (file, _):
        line_at(file, starts[-1])
    path = tmp_path / "t.gz"
    seen = path.stat()
    # whoever unpacked from the start again would stumble over this
    with path.open("r+b") as same:
        same.seek(1_000)
        same.write(b"\xff" * 64)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with open_lines(path, files) as (file, _):
        assert line_at(file, starts[-2]) == content[-2]
        with pytest.raises(CutOffError):
            [line_at(file, start) for start in starts]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    files = PackedFiles()
    for count in (2_000, 2_500):
        content = lines(count)
        starts = packed(tmp_path / "t.gz", content)
        with open_lines(tmp_path / "t.gz", files) as (file, _):
            assert line_at(file, starts[-1]) == content[-1]


def test_a_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    starts = packed(path, lines(1_000))
    path.write_bytes(path.read_bytes()[:-2_000])
    with open_lines(path, PackedFiles()) as (file, _), pytest.raises(CutOffError):
        line_at(file, starts[-1])


def test_places_are_bounded_and_near_the_last_one_dense(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"\n" * (200 * 1024 * 1024), 1))
    files = PackedFiles()
    with open_lines(path, files) as (file, _):
        file.seek(200 * 1024 * 1024 - 1)
    for number in range(MOST_FILES + 3):
        packed(tmp_path / f"{number}.gz", lines(1))
        with open_lines(tmp_path / f"{number}.gz", files) as (file, _):
            file.read()
        with open_lines(path, files) as (file, _):
            file.seek(0)
    assert len(files._of) == MOST_FILES
    (places,) = [places for (name, _), places in files._of.items() if name == path]
    ats = [place.at for place in places.known]
    assert len(ats) == MOST_PLACES
    gaps = [after - before for before, after in zip([0, *ats], ats, strict=False)]
    assert max(gaps) <= 12 * 1024 * 1024
    assert max(gaps[-7:]) <= 2 * 1024 * 1024


def test_reading_whole_files_is_as_it_was(tmp_path: Path) -> None:
    content = lines(50)
    packed(tmp_path / "t.gz", content, members=3)
    assert [line.text for line in read_lines(tmp_path / "t.gz")] == content

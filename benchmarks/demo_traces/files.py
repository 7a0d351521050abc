"""The demo's files: a gzip file of traces for each UTC day, and the relevance judgements."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

from benchmarks.demo_traces.clock import Json
from benchmarks.demo_traces.judgements import judgements
from benchmarks.demo_traces.library import Library
from benchmarks.demo_traces.stream import Recipe, traces
from benchmarks.demo_traces.turns import rankers


def write_traces(
    recipe: Recipe, library: Library, folder: Path, start: datetime, end: datetime
) -> Iterator[tuple[Path, int]]:
    """Writes `traces-<day>.jsonl.gz` day by day; yields each file with its number of traces.

    The same recipe gives the same bytes with the same build of zlib.
    """
    stream = traces(recipe, library, start, end)
    for day, of_day in groupby(stream, key=lambda trace: str(trace["start_time"])[:10]):
        path = folder / f"traces-{day}.jsonl.gz"
        count = 0
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as lines:
            for trace in of_day:
                lines.write(_line(trace))
                count += 1
        yield path, count


def write_judgements(library: Library, path: Path) -> int:
    """Writes the relevance judgements as JSON lines and gives their number."""
    rows = list(judgements(library, rankers(library)))
    path.write_bytes(b"".join(map(_line, rows)))
    return len(rows)


def _line(row: Json) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

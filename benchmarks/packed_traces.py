"""An hour of traces out of one large gzip file, chunk by chunk as a run fetches them.

    python -m benchmarks.packed_traces [--megabytes 100]

"from the start" unpacks the file up to each chunk, as reading gzip does; "from a place" goes on
from where the file was read before. Both give the same traces; the floor unpacks the file once and
parses nothing. The memory is what the fetching added to the process's peak.
"""

import argparse
import gzip
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sources.file_fetch import fetch_entries
from sources.file_index import Entry, FileIndex
from sources.packed_file import PackedFiles
from tailwatch.trace import Trace

CHUNK = 500
DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORDS = [f"{random.Random(n).getrandbits(40):x}" for n in range(20_000)]


def written(path: Path, megabytes: int) -> tuple[int, int]:
    """Writes a day of traces of about 4 KB; returns how many and their bytes, unpacked.

    They stand in the order in which they ended, and take up to a minute.
    """
    choose = random.Random(1)
    count = size = 0
    per_trace = 2_010  # packed
    total = megabytes * 1_000_000 // per_trace
    with gzip.open(path, "wb", 6) as file:
        for number in range(total):
            start = (
                DAY + timedelta(days=1) * number / total - timedelta(seconds=choose.random() * 60)
            )
            trace = {
                "trace_id": f"t{number}",
                "start_time": max(start, DAY).isoformat(),
                "input": " ".join(choose.choices(WORDS, k=40)),
                "output": " ".join(choose.choices(WORDS, k=340)),
            }
            line = json.dumps(trace).encode() + b"\n"
            file.write(line)
            count, size = count + 1, size + len(line)
    return count, size


def chunks(index: FileIndex, start: datetime, end: datetime) -> Iterator[list[Entry]]:
    """The traces of a window as a run takes them: by start, some hundreds at a time."""
    entries = index.between((start, ""), end, 10**9)
    for at in range(0, len(entries), CHUNK):
        yield entries[at : at + CHUNK]


def fetched(parts: list[list[Entry]], packed_files: PackedFiles | None) -> tuple[float, int]:
    """CPU seconds and how many traces came."""
    begun, found = time.process_time(), 0
    for part in parts:
        found += sum(isinstance(i, Trace) for i in fetch_entries("app", part, packed_files))
    return time.process_time() - begun, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    megabytes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl.gz"
        count, size = written(path, megabytes)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {size / 1e6:.0f} MB unpacked, {count:,} traces")
        begun = time.process_time()
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
        floor = time.process_time() - begun
        print(f"unpacked once: {floor:.2f} s of CPU")
        index = FileIndex("app", [str(path)], Path(folder) / "index")
        index.refresh()
        hours = [list(chunks(index, DAY + h * HOUR, DAY + (h + 1) * HOUR)) for h in range(24)]
        peak = _peak()
        files = PackedFiles()
        print(f"{'':24}{'chunks':>8}{'traces':>9}{'from a place':>15}{'from the start':>16}")
        for name, hour in (("the first hour", 0), ("an hour at noon", 12), ("the last hour", 23)):
            parts = hours[hour]
            after, found = fetched(parts, files)
            before, same = fetched(parts, None)
            assert found == same == sum(map(len, parts))
            print(f"{name:24}{len(parts):>8}{found:>9,}{after:>13.2f} s{before:>14.2f} s")
        for name, order in (("all hours in order", hours), ("newest hour first", hours[::-1])):
            parts = [part for hour_parts in order for part in hour_parts]
            taken, found = fetched(parts, PackedFiles())
            print(f"{name:24}{len(parts):>8}{found:>9,}{taken:>13.2f} s")
        print(f"memory of the fetching: {_peak() - peak:.0f} MB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

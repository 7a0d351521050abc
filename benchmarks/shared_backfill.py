"""One backfill by one Dask worker and by two, over the same hours on PostgreSQL.

    python -m benchmarks.shared_backfill [--hours 24] [--per-hour 400] [--chunk 100] [--rounds 3]

Scheduler, workers and database are processes on this machine. A run is timed from the first trace
listed to the end of the last hour, so neither the start of Python nor that of the cluster counts.
Each worker also tells the wall time that passes while an evaluator is at work. The runs of a round
follow on one another, two workers first in every other round, and a ratio is one of the medians.

What an hour costs by itself, and a chunk, is solved from more runs by one worker: the same traces
in hours of half as many, and in chunks of half as many.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.hourly_run import DATA, bundled, moved
from storage.store import open_store
from tests.postgres import postgres_server

START = datetime(2026, 1, 5, tzinfo=UTC)
PLAN = f"""\
source: {{use: files, name: bench, options: {{path: hours/*.jsonl}}}}
qrels: {DATA / "qrels.jsonl"}
keep_text: none
segments: [feature, model]
chunk_size: CHUNK
evaluators: [{{use: precision@5}}, {{use: ndcg@10}}, {{use: lexical_support}}, {{use: token_f1}}]
"""
PRELOAD = "benchmarks.evaluator_clock"
EVALUATORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """So many hours of so many traces each, evaluated in chunks of so many."""

    hours: int
    per_hour: int
    chunk: int

    @property
    def chunks(self) -> int:
        return self.hours * -(-self.per_hour // self.chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Wall seconds of a backfill, and those that its workers were in evaluators, in all."""

    wall_s: float
    inside_s: float


def main() -> None:
    """Prints a row for each number of workers, then what an hour and a chunk cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--per-hour", type=int, default=400)
    parser.add_argument("--chunk", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    shape = Shape(hours=asked.hours, per_hour=asked.per_hour, chunk=asked.chunk)
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        place = _Place(Path(folder), server)
        found: dict[int, list[Run]] = {1: [], 2: []}
        for number in range(asked.rounds):
            for workers in (2, 1) if number % 2 else (1, 2):
                found[workers].append(place.measured(shape, workers))
        _say_speed(shape, found)
        _say_overhead(place, shape, asked.rounds)


def _say_speed(shape: Shape, found: Mapping[int, list[Run]]) -> None:
    alone = statistics.median(run.wall_s for run in found[1])
    print(
        f"{'workers':>8} {'wall s':>8} {'traces/s':>9} {'speed-up':>9} {'outside evaluators':>19}"
    )
    for workers, runs in found.items():
        wall = statistics.median(run.wall_s for run in runs)
        outside = statistics.median(1 - run.inside_s / (workers * run.wall_s) for run in runs)
        rate = shape.hours * shape.per_hour / wall
        print(f"{workers:>8} {wall:>8.1f} {rate:>9,.0f} {alone / wall:>9.2f} {outside:>18.0%}")
    print("each:", {n: [round(run.wall_s, 1) for run in runs] for n, runs in found.items()})


def _say_overhead(place: "_Place", shape: Shape, rounds: int) -> None:
    """The same traces, cut once as they are, once into twice the hours, once into twice the chunks.

    Hours of half as many traces have chunks of as many, so that only the hours are more.
    """
    more_hours = Shape(hours=2 * shape.hours, per_hour=shape.per_hour // 2, chunk=shape.chunk // 2)
    more_chunks = Shape(hours=shape.hours, per_hour=shape.per_hour, chunk=shape.chunk // 2)
    shapes = (shape, more_chunks, more_hours)
    runs = [[place.measured(each, 1) for each in shapes] for _ in range(rounds)]
    plain, chunked, cut = (statistics.median(r[i].wall_s for r in runs) for i in range(3))
    chunk_ms = 1000 * (chunked - plain) / (more_chunks.chunks - shape.chunks)
    hour_ms = 1000 * (cut - chunked) / (more_hours.hours - shape.hours)
    print(f"a chunk costs {chunk_ms:.1f} ms by itself, an hour {hour_ms:.0f} ms")


class _Place:
    """Where the runs are made: a folder for traces, and a server for a database of each run."""

    def __init__(self, folder: Path, server: str) -> None:
        self._folder, self._server = folder, server
        self._numbers = itertools.count()

    def measured(self, shape: Shape, workers: int) -> Run:
        name = f"shared_backfill_{next(self._numbers)}"
        home = self._folder / name
        _prepare(home, shape)
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = f"{self._server.rpartition('/')[0]}/{name}"
        with open_store(url) as store:
            store.upgrade()
        environment = dict(os.environ) | {
            "TAILWATCH_HOME": str(home / "home"),
            "TAILWATCH_PLAN": str(home / "plan.yaml"),
            "TAILWATCH_STORE_URL": url,
            "TAILWATCH_EVALUATOR_TIMES": str(home / "times"),
        }
        with _cluster(environment, workers) as address:
            _backfill(environment, shape, address)
        return Run(wall_s=_wall(url, shape), inside_s=_inside(home / "times"))


def _prepare(home: Path, shape: Shape) -> None:
    (home / "hours").mkdir(parents=True)
    (home / "times").mkdir()
    (home / "plan.yaml").write_text(PLAN.replace("CHUNK", str(shape.chunk)), encoding="utf-8")
    lines = itertools.cycle([json.loads(line) for line in bundled()])
    for hour in range(shape.hours):
        with (home / "hours" / f"{hour:03}.jsonl").open("w", encoding="utf-8") as out:
            for number in range(shape.per_hour):
                at = START + timedelta(hours=hour + number / shape.per_hour)
                trace = moved(next(lines), at)
                out.write(json.dumps(trace | {"trace_id": f"{hour:04x}{number:08x}"}) + "\n")


@contextmanager
def _cluster(environment: dict[str, str], workers: int) -> Iterator[str]:
    """A scheduler and its workers, all of which are there when it begins."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in [scheduler, *[[*worker, "--preload", PRELOAD]] * workers]
    ]
    try:
        wait = f"from distributed import Client; Client({address!r}).wait_for_workers({workers})"
        subprocess.run([sys.executable, "-c", wait], check=True, timeout=300)
        yield address
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait(60)


def _backfill(environment: dict[str, str], shape: Shape, address: str) -> None:
    end = START + timedelta(hours=shape.hours)
    command = [sys.executable, "-m", "flows.cli", "backfill", "--from", START.isoformat()]
    engine = ["--to", end.isoformat(), "--engine", "dask", "--dask-address", address]
    subprocess.run([*command, *engine], env=environment, check=True, stdout=subprocess.DEVNULL)


def _wall(url: str, shape: Shape) -> float:
    """Seconds from the first trace listed to the end of the last hour."""
    with psycopg.connect(url) as connection:
        first = connection.execute("SELECT min(first_seen_at) FROM traces").fetchone()
        last = connection.execute("SELECT max(ended_at), count(*) FROM backfill_units").fetchone()
        made = connection.execute("SELECT count(*) FROM evaluations").fetchone()
    if first is None or last is None or made is None:
        raise RuntimeError("the store does not count")
    if (last[1], made[0]) != (shape.hours, EVALUATORS * shape.hours * shape.per_hour):
        raise RuntimeError(f"the backfill is not whole: {last[1]} hours, {made[0]} evaluations")
    return float((last[0] - first[0]).total_seconds())


def _inside(folder: Path) -> float:
    return sum(float(path.read_text()) for path in folder.iterdir())


if __name__ == "__main__":
    begun = time.perf_counter()
    main()
    print(f"{time.perf_counter() - begun:,.0f} s in all", file=sys.stderr)

"""A month of traces backfilled: traces a second, peak memory, and the share of the evaluators.

    python -m benchmarks.month_backfill [--sizes 10000,100000,1000000] [--folder DIR] [--kill]

Each size is a month of 720 hours with the bundled traces, repeated under new ids, in one file a
day, and is backfilled in a process of its own with evaluators that need no model. The floor is
measured in another process: the same traces listed and fetched from the same files, and rows of the
same number and kind written through the same store, with nothing evaluated and nothing summarised.

With `--kill` the backfill is killed (SIGKILL) in the middle and begun again; time and CPU are those
of both parts, memory is that of the larger one. With `--compare` an undisturbed backfill runs too,
and the rows that say something about the traces must be the same.
"""

import argparse
import asyncio
import itertools
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.hourly_run import DATA, bundled, moved
from flows.backfill_plan import Only, redo_for
from flows.listing import list_hour
from flows.plan_file import read_plan
from flows.runs import run_windows
from flows.wiring import open_parts, opened_store
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Score
from tailwatch.settings import Settings
from tailwatch.trace import Trace
from tailwatch.window import Window

MONTH = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))
DAYS = 30
PLAN = f"""\
source: {{use: files, name: bench, options: {{path: days/*.jsonl}}}}
qrels: {DATA / "qrels.jsonl"}
keep_text: none
segments: [feature, model]
evaluators: [{{use: precision@5}}, {{use: ndcg@10}}, {{use: lexical_support}}, {{use: token_f1}}]
"""
STORES = ("backfill", "floor", "undisturbed")
COMPARED = ("traces", "evaluations", "coverage", "summaries", "windows", "usual_lengths")
TIMES = {"run_id", "evaluated_at", "recorded_at", "first_seen_at", "attempts", "at"}
"""What tells when and by which run a row was written, and nothing about the traces."""


def main() -> None:
    """Prints one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--folder", type=Path, help="where the files are made; default: temporary")
    parser.add_argument("--kill", action="store_true", help="kill the backfill in the middle")
    parser.add_argument("--compare", action="store_true", help="with one that nobody killed")
    parser.add_argument("--measure", choices=list(STORES), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        settings = _settings(asked.folder, asked.measure)
        measured = floor if asked.measure == "floor" else backfill
        print(json.dumps(asyncio.run(measured(settings))))
        return
    print(
        f"{'traces':>10} {'evaluations':>12} {'traces/s':>9} {'CPU s':>8} {'peak MB':>8} "
        f"{'bytes/evaluation':>17} {'floor traces/s':>15} {'CPU / floor':>12}"
    )
    for size in (int(text) for text in asked.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            folder = Path(name)
            prepare(folder, size)
            run = (killed if asked.kill else _in_a_process)(folder, "backfill")
            stored = sum(path.stat().st_size for path in folder.glob("backfill.db*"))
            least = _in_a_process(folder, "floor")
            if asked.compare:
                _in_a_process(folder, "undisturbed")
                print(_differences(folder / "backfill.db", folder / "undisturbed.db"))
            recorded = _evaluations(folder / "backfill.db")
        print(
            f"{size:>10,} {recorded:>12,.0f} {size / run['wall']:>9,.0f} "
            f"{run['cpu']:>8,.0f} {run['peak_mb']:>8,.0f} {stored / recorded:>17,.0f} "
            f"{size / least['wall']:>15,.0f} {run['cpu'] / least['cpu']:>12.2f}",
            flush=True,
        )


def prepare(folder: Path, size: int) -> None:
    """A plan, a month of traces, and a store without a row for each measurement."""
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    (folder / "days").mkdir()
    step = (MONTH.end - MONTH.start) / size
    lines = itertools.cycle([json.loads(line) for line in bundled()])
    for day in range(DAYS):
        first, last = day * size // DAYS, (day + 1) * size // DAYS
        with (folder / "days" / f"{day:02}.jsonl").open("w", encoding="utf-8") as out:
            for number in range(first, last):
                trace = moved(next(lines), MONTH.start + number * step)
                out.write(json.dumps(trace | {"trace_id": f"{number:016x}"}) + "\n")
    for name in STORES:
        with opened_store(_settings(folder, name)) as store:
            store.upgrade()


def killed(folder: Path, name: str) -> dict[str, float]:
    """A backfill that is killed when half of the hours are done, and one that does the rest."""
    begun = time.perf_counter()
    first = subprocess.Popen(_command(folder, name), stdout=subprocess.DEVNULL)
    while _hours_done(folder / f"{name}.db") < 24 * DAYS // 2:
        if first.poll() is not None:
            raise RuntimeError("the backfill ended before it could be killed")
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    _, _, used = os.wait4(first.pid, 0)
    wall = time.perf_counter() - begun
    rest = _in_a_process(folder, name)
    return {
        "wall": wall + rest["wall"],
        "cpu": used.ru_utime + used.ru_stime + rest["cpu"],
        "peak_mb": max(used.ru_maxrss / 1024, rest["peak_mb"]),
    }


def _hours_done(store: Path) -> int:
    return _count(store, "windows WHERE status = 'done'")


def _evaluations(store: Path) -> int:
    return _count(store, "evaluations")


def _count(store: Path, rows: str) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", timeout=60, uri=True)) as connection:
        counted = connection.execute(f"SELECT count(*) FROM {rows}")  # noqa: S608 - ours
        return int(counted.fetchone()[0])


def _differences(one: Path, other: Path) -> str:
    """How many rows of each table only one of the two stores has."""
    found = []
    with closing(sqlite3.connect(one)) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        for table in COMPARED:
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            named = ", ".join(f'"{column[1]}"' for column in columns if column[1] not in TIMES)
            apart = 0
            for a, b in (("main", "other"), ("other", "main")):
                rows = connection.execute(
                    f"SELECT count(*) FROM (SELECT {named} FROM {a}.{table} "  # noqa: S608 - ours
                    f"EXCEPT SELECT {named} FROM {b}.{table})"
                )
                apart += int(rows.fetchone()[0])
            found.append(f"{table} {apart}")
    return "rows in one store only: " + ", ".join(found)


async def backfill(settings: Settings) -> dict[str, float]:
    """The backfill: its seconds of wall clock and CPU, and its megabytes."""
    begun = time.perf_counter(), time.process_time()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        await run_windows(
            parts,
            list(MONTH.hours()),
            kind="backfill",
            run_id=uuid.uuid4().hex,
            clock=lambda: datetime.now(UTC),
            redo=redo_for(Only.MISSING),
        )
    return _taken(begun)


async def floor(settings: Settings) -> dict[str, float]:
    """The same reading and writing and nothing else."""
    begun = time.perf_counter(), time.process_time()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        for hour in MONTH.hours():
            refs, _ = await list_hour(parts.source, hour)
            parts.store.record_listing(refs, MONTH.end)
            for start in range(0, len(refs), parts.plan.chunk_size):
                some = refs[start : start + parts.plan.chunk_size]
                traces = [t async for t in parts.source.fetch(some) if isinstance(t, Trace)]
                parts.store.record_texts(traces)
                for planned in parts.evaluators:
                    parts.store.record([_row(planned.series, hour, trace) for trace in traces])
    return _taken(begun)


def _row(series: Series, hour: Window, trace: Trace) -> Evaluation:
    return Evaluation(
        source=trace.source,
        trace_id=trace.trace_id,
        series=series,
        outcome=Score(value=0.5),
        window=hour,
        inclusion_probability=1.0,
        run_id="floor",
        evaluated_at=MONTH.end,
    )


def _taken(begun: tuple[float, float]) -> dict[str, float]:
    return {
        "wall": time.perf_counter() - begun[0],
        "cpu": time.process_time() - begun[1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _settings(folder: Path, name: str) -> Settings:
    """Each measurement has a store and an index of files of its own."""
    return Settings.model_validate(
        {
            "home": folder / name,
            "plan": folder / "plan.yaml",
            "store_url": f"sqlite:///{folder / name}.db",
        }
    )


def _in_a_process(folder: Path, name: str) -> dict[str, float]:
    done = subprocess.run(_command(folder, name), check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _command(folder: Path, name: str) -> list[str]:
    return [sys.executable, "-m", __spec__.name, "--measure", name, "--folder", str(folder)]


if __name__ == "__main__":
    main()

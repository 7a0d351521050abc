"""A month of traces backfilled: traces a second, peak memory, and the share of the evaluators.

    python -m benchmarks.month_backfill [--sizes 10000,100000,1000000] [--folder DIR]

Each size is a month of 720 hours with the bundled traces, repeated under new ids, in one file a
day, and is backfilled in a process of its own with evaluators that need no model. The floor is
measured in another process: the same traces listed and fetched from the same files, and rows of the
same number and kind written through the same store, with nothing evaluated and nothing summarised.
"""

import argparse
import asyncio
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.hourly_run import DATA, bundled, moved
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


def main() -> None:
    """Prints one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--folder", type=Path, help="where the files are made; default: temporary")
    parser.add_argument("--measure", choices=["backfill", "floor"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        settings = _settings(asked.folder, asked.measure)
        print(json.dumps(asyncio.run(MEASURED[asked.measure](settings))))
        return
    print(
        f"{'traces':>10} {'evaluations':>12} {'traces/s':>9} {'CPU s':>8} {'peak MB':>8} "
        f"{'bytes/evaluation':>17} {'floor traces/s':>15} {'CPU / floor':>12}"
    )
    for size in (int(text) for text in asked.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            folder = Path(name)
            prepare(folder, size)
            run = _in_a_process(folder, "backfill")
            stored = sum(path.stat().st_size for path in folder.glob("backfill.db*"))
            least = _in_a_process(folder, "floor")
        print(
            f"{size:>10,} {run['evaluations']:>12,.0f} {size / run['wall']:>9,.0f} "
            f"{run['cpu']:>8,.0f} {run['peak_mb']:>8,.0f} {stored / run['evaluations']:>17,.0f} "
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
    for name in MEASURED:
        with opened_store(_settings(folder, name)) as store:
            store.upgrade()


async def backfill(settings: Settings) -> dict[str, float]:
    """The backfill: its seconds, megabytes and evaluations."""
    begun = time.perf_counter(), time.process_time()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        report = await run_windows(
            parts,
            list(MONTH.hours()),
            kind="backfill",
            run_id="bench",
            clock=lambda: datetime.now(UTC),
        )
    counts = report.counts
    return _taken(begun) | {
        "evaluations": counts["scored"] + counts["skipped"] + counts["failed"],
    }


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
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--measure", name, "--folder", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


MEASURED = {"backfill": backfill, "floor": floor}

if __name__ == "__main__":
    main()

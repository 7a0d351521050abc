"""How one hourly run grows: wall, CPU and peak memory for hours of 1k, 10k and 50k traces.

    python -m benchmarks.hourly_run [--sizes 1000,10000,50000]

Each size runs in a process of its own over the bundled traces, repeated under new ids until the
hour has as many as asked, with every evaluator that needs no judge. The embedding evaluators see a
sample of 500 traces of the hour, as a plan would have it; all others see every trace. Ratios are to
the first size; a run that grows linearly has the ratio of the sizes, memory aside.
"""

import argparse
import asyncio
import gzip
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.plan_file import read_plan
from flows.runs import run_windows
from flows.wiring import open_parts, opened_store
from tailwatch.settings import Settings
from tailwatch.window import Window

DATA = Path(__file__).resolve().parents[1] / "datasets" / "demo"
HOUR = Window.hour_of(datetime(2026, 1, 5, 9, tzinfo=UTC))
PLAN = """\
source: {{use: files, name: bench, options: {{path: traces.jsonl}}}}
qrels: {qrels}
evaluators:
  - use: precision@5
  - use: recall@5
  - use: hit_rate@5
  - use: ndcg@10
  - use: reciprocal_rank
  - use: average_precision
  - use: reference_recall
  - use: token_f1
  - use: lexical_support
  - {{use: embedding_similarity, sampling: {{per_hour: 500}}}}
  - {{use: embedding_grounding, sampling: {{per_hour: 500}}}}
"""


def main() -> None:
    """Prints one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(measure(arguments.one)))
        return
    first: dict[str, float] | None = None
    print(f"{'traces':>8} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'evaluations':>12}   ratios")
    for size in (int(text) for text in arguments.sizes.split(",")):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.hourly_run", "--one", str(size)],
            check=True,
            capture_output=True,
            text=True,
        )
        row = json.loads(done.stdout.splitlines()[-1])
        first = first or row
        ratios = ", ".join(
            f"{name} x{row[name] / first[name]:.1f}"
            for name in ("traces", "wall", "cpu", "peak_mb")
        )
        print(
            f"{row['traces']:>8,} {row['wall']:>8.1f} {row['cpu']:>8.1f} {row['peak_mb']:>8,.0f} "
            f"{row['evaluations']:>12,}   {ratios}"
        )


def measure(size: int) -> dict[str, float]:
    """One run over an hour of `size` traces: seconds, megabytes and evaluations."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "traces.jsonl").open("w", encoding="utf-8") as out:
            for trace in traces(size):
                out.write(json.dumps(trace) + "\n")
        plan = folder / "plan.yaml"
        plan.write_text(PLAN.format(qrels=DATA / "qrels.jsonl"), encoding="utf-8")
        settings = Settings(home=folder, plan=plan, store_url=None)
        with opened_store(settings) as store:
            store.upgrade()
        wall, cpu = time.perf_counter(), time.process_time()
        counts = asyncio.run(_run(settings))
        return {
            "traces": counts["listed"],
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "evaluations": counts["scored"] + counts["skipped"] + counts["failed"],
        }


async def _run(settings: Settings) -> dict[str, int]:
    async with open_parts(read_plan(settings.plan), settings) as parts:
        report = await run_windows(
            parts, [HOUR], kind="hourly", run_id="bench", clock=lambda: datetime.now(UTC)
        )
        return report.counts


def traces(size: int) -> Iterator[dict[str, Any]]:
    """So many traces inside HOUR: the bundled ones, again and again, under new ids."""
    step = timedelta(hours=1) / (size + 1)
    for number, line in enumerate(itertools.islice(itertools.cycle(bundled()), size)):
        trace = moved(json.loads(line), HOUR.start + number * step)
        yield trace | {"trace_id": f"{number:016x}"}


def moved(trace: dict[str, Any], start: datetime) -> dict[str, Any]:
    """The trace with all its times changed, in place, so that it starts then."""
    shift = start - _time(trace["start_time"])
    for record in (trace, *trace.get("spans", ()), *trace.get("feedback", ())):
        for key in ("start_time", "end_time", "time"):
            if record.get(key):
                record[key] = (_time(record[key]) + shift).isoformat()
    return trace


def bundled() -> list[str]:
    """The lines of the bundled traces."""
    return [
        line
        for path in sorted(DATA.glob("traces-*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    main()

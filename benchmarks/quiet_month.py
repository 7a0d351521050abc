"""What the demo's rules raise over weeks in which nothing is wrong, by the commands people type.

`python -m benchmarks.quiet_month SEEDS [DAYS] [SCALE]`, as in `1,2,3 28 1`: for each seed, traces
of the demo's assistant without its incidents are written, evaluated by `tailwatch backfill` and
checked hour by hour by `tailwatch alerts check`, in a folder and a store of their own. The first
week is the baselines'. Evaluators that load a model or ask a judge are left out of the demo's plan;
limits on two series are added to its rules.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.demo_traces.files import write_judgements, write_traces
from benchmarks.demo_traces.incidents import Incidents
from benchmarks.demo_traces.library import Library
from benchmarks.demo_traces.stream import DEFAULT_END, Recipe
from flows.cli.context import DEMO_PLAN, ROOT

OFFLINE = ("precision@5", "recall@5", "ndcg@10", "reciprocal_rank", "lexical_support")
OFFLINE_TOO = ("reference_recall", "token_f1")
LIMITS = [
    {
        "use": "limit",
        "name": "support-p10",
        "series": ["lexical_support"],
        "options": {"line": 0.5, "quantile": "p10"},
    },
    {
        "use": "limit",
        "name": "latency-p95",
        "series": ["latency_ms"],
        "options": {"line": 8000, "quantile": "p95"},
    },
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What became of one stream: its traces, its monitors, and every alert in a sentence."""

    traces: int
    monitors: int
    alerts: list[str]


def main() -> None:
    """Prints, for each seed, the alerts that were raised, and how many monitors could have."""
    seeds = [int(seed) for seed in (sys.argv[1] if len(sys.argv) > 1 else "1,2,3").split(",")]
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 28
    scale = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    raised = 0
    for seed in seeds:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            found = quiet_weeks(Path(folder), seed, days, scale)
        raised += len(found.alerts)
        print(
            f"seed {seed}: {found.traces:,} traces in {days} days, {found.monitors} monitors, "
            f"{len(found.alerts)} alerts, {time.perf_counter() - began:.0f} s",
            *found.alerts,
            sep="\n  ",
            flush=True,
        )
    print(f"{raised} alerts in {len(seeds)} times {days} days")


def quiet_weeks(folder: Path, seed: int, days: int, scale: float = 1.0) -> Quiet:
    """Writes, evaluates and checks one stream in a folder."""
    recipe = Recipe(end=DEFAULT_END, days=days, seed=seed, scale=scale, incidents=Incidents())
    library = Library.read()
    written = write_traces(recipe, library, folder, recipe.start, recipe.end)
    traces = sum(count for _, count in written)
    write_judgements(library, folder / "qrels.jsonl")
    plan = yaml.safe_load(DEMO_PLAN.read_text(encoding="utf-8"))
    plan["evaluators"] = [{"use": name} for name in (*OFFLINE, *OFFLINE_TOO)]
    plan["rules"] += LIMITS
    del plan["judge"]
    (folder / "tailwatch.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    _command(folder, "db", "upgrade")
    begin, end = recipe.start.isoformat(), recipe.end.isoformat()
    _command(folder, "backfill", "--from", begin, "--to", end)
    checked = json.loads(_command(folder, "alerts", "check", "--until", end, "--json"))
    listed = json.loads(_command(folder, "alerts", "list", "--all", "--json"))
    return Quiet(
        traces=traces,
        monitors=checked["monitors"],
        alerts=[f"{alert['opened_at']} {alert['sentence']}" for alert in listed],
    )


def _command(folder: Path, *arguments: str) -> str:
    """What the command prints. Raises RuntimeError, with what it says, where it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAILWATCH_")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 3):  # 3: an alert is open
        raise RuntimeError(f"tailwatch {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()

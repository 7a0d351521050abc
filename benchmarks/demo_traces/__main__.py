"""The command: `python -m benchmarks.demo_traces --out datasets/demo`."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.demo_traces.files import write_judgements, write_traces
from benchmarks.demo_traces.incidents import Incidents
from benchmarks.demo_traces.library import Library
from benchmarks.demo_traces.stream import DEFAULT_END, DEFAULT_SEED, Recipe
from tailwatch.window import floor_hour


def main() -> None:
    arguments = _parser().parse_args()
    end: datetime = arguments.end
    recipe = Recipe(
        end=end,
        days=arguments.days,
        seed=arguments.seed,
        scale=arguments.scale,
        incidents=Incidents.before(end) if arguments.incidents == "all" else Incidents(),
    )
    library = Library.read()
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for path, count in write_traces(recipe, library, folder, recipe.start, recipe.end):
        print(f"{path}: {count:,} traces, {path.stat().st_size / 1e6:.2f} MB")
        total += count
    judged = write_judgements(library, folder / "qrels.jsonl")
    print(f"{total:,} traces in {recipe.days} days, {judged:,} judgements")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.demo_traces",
        description="Write synthetic traces of a documentation assistant and their judgements.",
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--end", type=_moment, default=DEFAULT_END, help="an ISO time, or now")
    parser.add_argument("--days", type=_positive_int, default=14)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=_positive, default=1.0, help="multiplies the volume")
    parser.add_argument("--incidents", choices=("all", "none"), default="all")
    return parser


def _moment(text: str) -> datetime:
    """The full UTC hour at or before a time; a time without a zone is taken as UTC."""
    try:
        moment = datetime.now(UTC) if text == "now" else datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write now, or as in 2026-11-15T00:00Z"
        ) from None
    return floor_hour(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


if __name__ == "__main__":
    main()

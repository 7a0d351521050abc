"""The command: `python -m benchmarks.golden_set --out datasets/golden/tidewrack.jsonl`."""

import argparse
import json
from pathlib import Path

from benchmarks.demo_traces.library import Library
from benchmarks.golden_set.items import Maker
from benchmarks.golden_set.probes import Json, probes

DEFAULT_SEED = 20261115


def golden_set(library: Library, seed: int = DEFAULT_SEED) -> list[Json]:
    """The items and the injection probes: the same from the same library and seed."""
    items = list(Maker(library, seed).items())
    return [*items, *probes(items, seed)]


def written(rows: list[Json]) -> bytes:
    """The rows as JSON lines."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.golden_set",
        description="Write the golden set: answers whose labels are true by how they were made.",
    )
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    arguments = parser.parse_args()
    out: Path = arguments.out
    rows = golden_set(Library.read(), arguments.seed)
    out.write_bytes(written(rows))
    attacked = sum("probe" in row for row in rows)
    print(f"{out}: {len(rows) - attacked} items and {attacked} injection probes")


if __name__ == "__main__":
    main()

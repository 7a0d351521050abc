"""The clients that `benchmarks.judge_runs` compares, each in a process of its own.

    python -m benchmarks.judge_clients CLIENT --url URL --items N --in-flight N [--timeout S]

prints one JSON object: seconds of wall clock and CPU, peak memory, and what became of the items.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Protocol

from benchmarks.judge_items import Item, items
from benchmarks.mock_endpoint import stay_on_core


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a client is to do. `timeout_s` is the time one call may take."""

    url: str
    items: Sequence[Item]
    in_flight: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How many items ended with a score, and how many with a failure that the caller can see."""

    scored: int
    failed: int


class Stopwatch:
    """Measures what runs inside its `with` block: set-up is not measured."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self.wall_s, self.cpu_s = -time.perf_counter(), -time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter()
        self.cpu_s += time.process_time()


class Client(Protocol):
    """Asks about all items of a task, and measures that alone."""

    async def __call__(self, task: Task, stopwatch: Stopwatch) -> Ends: ...


CLIENTS = {
    "aiohttp": "benchmarks.judge_client_aiohttp:judge_all",
    "tailwatch": "benchmarks.judge_client_tailwatch:judge_all",
    "openai": "benchmarks.judge_client_openai:judge_all",
    "phoenix": "benchmarks.judge_client_phoenix:judge_all",
}
"""Client -> module:function. Only the measured one is imported."""


def measured(client: Client, task: Task) -> dict[str, Any]:
    """Runs a client on an event loop of its own."""
    stopwatch = Stopwatch()
    ends = asyncio.run(_ends(client, task, stopwatch))
    return {
        "wall_s": stopwatch.wall_s,
        "cpu_s": stopwatch.cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **asdict(ends),
    }


async def _ends(client: Client, task: Task, stopwatch: Stopwatch) -> Ends:
    return await client(task, stopwatch)


def main() -> None:
    """Runs one client on the first core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=60)
    arguments = parser.parse_args()
    stay_on_core(0)
    module, _, name = CLIENTS[arguments.client].partition(":")
    client: Client = getattr(import_module(module), name)
    task = Task(
        url=arguments.url,
        items=items(arguments.items),
        in_flight=arguments.in_flight,
        timeout_s=arguments.timeout,
    )
    print(json.dumps(measured(client, task)))


if __name__ == "__main__":
    main()

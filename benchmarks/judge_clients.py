"""The clients that `benchmarks.judge_runs` compares, each in a process of its own.

    python -m benchmarks.judge_clients CLIENT --url URL --items N --in-flight N [--timeout S]

prints one JSON object: seconds of wall clock and CPU, peak memory, and what became of the items.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
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


class Client(Protocol):
    """Makes itself ready and returns what is measured."""

    def __call__(self, task: Task) -> Callable[[], Awaitable[Ends]]: ...


CLIENTS = {
    "tailwatch": "benchmarks.judge_client_tailwatch:ready",
    "openai": "benchmarks.judge_client_openai:ready",
    "phoenix": "benchmarks.judge_client_phoenix:ready",
}
"""Client -> module:function. Only the measured one is imported."""


def measured(run: Callable[[], Awaitable[Ends]]) -> dict[str, Any]:
    """Runs a client on an event loop of its own."""
    wall, cpu = time.perf_counter(), time.process_time()
    ends = asyncio.run(_awaited(run))
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **asdict(ends),
    }


async def _awaited(run: Callable[[], Awaitable[Ends]]) -> Ends:
    return await run()


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
    ready: Client = getattr(import_module(module), name)
    task = Task(
        url=arguments.url,
        items=items(arguments.items),
        in_flight=arguments.in_flight,
        timeout_s=arguments.timeout,
    )
    print(json.dumps(measured(ready(task))))


if __name__ == "__main__":
    main()

"""How fast judges are asked, at what cost, and what becomes of every item when calls fail.

Each client asks about the same items through a mock endpoint of fixed latency (its own process and
core), one after the other. Ideal wall clock is items x latency / calls in flight. Then the same
under faults: of the items' first attempts 5 % get 429 with Retry-After, 2 % get 500, 1 % torn JSON
and 1 % no answer at all. The client "aiohttp" does nothing but post and is the floor: on a busy
machine compare CPU with it.

    .venv/bin/python -m benchmarks.judge_runs [--clients aiohttp,tailwatch,openai,phoenix]
        [--phoenix-python PATH]     an interpreter that has arize-phoenix-evals; else it is skipped
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.mock_endpoint import ITEMS, Served, mock_endpoint, stay_on_core

LATENCY_S = 0.2
IN_FLIGHT = (64, 256)
FAULTY_IN_FLIGHT = 64
TIMEOUT_S = 60.0
FAULTY_TIMEOUT_S = 2.0
PATIENCE_S = 300
"""How long a client may take before it is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one client came to."""

    client: str
    in_flight: int
    requests: float
    took: dict[str, Any] | None

    def text(self) -> str:
        """A line of the table."""
        start = f"{self.client:<12}{self.in_flight:>10}"
        if self.took is None:
            return f"{start}   not finished after {PATIENCE_S} s, {self.requests:,.0f} requests"
        took, ideal = self.took, ITEMS * LATENCY_S / self.in_flight
        lost = ITEMS - took["scored"] - took["failed"]
        return (
            f"{start}{took['wall_s'] / ideal:>14.2f}{took['cpu_s'] / ITEMS * 1000:>10.2f}"
            f"{took['peak_mb']:>10.0f}{self.requests / ITEMS:>15.3f}"
            f"{took['scored']:>9}{took['failed']:>9}{lost:>9}"
        )


HEAD = (
    f"{'client':<12}{'in flight':>10}{'wall / ideal':>14}{'CPU ms':>10}{'peak MB':>10}"
    f"{'requests/item':>15}{'scored':>9}{'failed':>9}{'nowhere':>9}"
)


def main() -> None:
    """Prints the ceiling of the endpoint, then both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="aiohttp,tailwatch,openai,phoenix")
    parser.add_argument("--phoenix-python", default=sys.executable)
    parser.add_argument("--without-faults", action="store_true")
    arguments = parser.parse_args()
    clients = [c for c in arguments.clients.split(",") if _there(c, arguments.phoenix_python)]
    print(f"{ITEMS:,} items, {LATENCY_S * 1000:.0f} ms; endpoint's ceiling {ceiling():,.0f}/s\n")
    print(HEAD)
    for in_flight in IN_FLIGHT:
        for client in clients:
            print(measured(client, in_flight, arguments.phoenix_python).text(), flush=True)
    if not arguments.without_faults:
        print(f"\nunder faults, calls time out after {FAULTY_TIMEOUT_S:.0f} s")
        print(HEAD)
        for client in clients:
            row = measured(client, FAULTY_IN_FLIGHT, arguments.phoenix_python, faults=True)
            print(row.text(), flush=True)


def measured(client: str, in_flight: int, phoenix_python: str, *, faults: bool = False) -> Row:
    """One client against an endpoint of its own."""
    python = phoenix_python if client == "phoenix" else sys.executable
    with mock_endpoint(LATENCY_S, faults=faults) as endpoint:
        command = [python, "-m", "benchmarks.judge_clients", client, "--url", endpoint.url]
        command += ["--items", str(ITEMS), "--in-flight", str(in_flight)]
        command += ["--timeout", str(FAULTY_TIMEOUT_S if faults else TIMEOUT_S)]
        try:
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=PATIENCE_S
            )
            took = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            took = None
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{client} failed:\n{error.stderr[-2000:]}") from None
        return Row(
            client=client,
            in_flight=in_flight,
            requests=endpoint.account()["requests"],
            took=took,
        )


def ceiling() -> float:
    """Requests a second that the endpoint can answer: by the CPU time it takes for each."""
    with mock_endpoint(0.0) as endpoint:
        before = endpoint.account()
        asyncio.run(_hammer(endpoint, seconds=2.0))
        after = endpoint.account()
    return (after["requests"] - before["requests"]) / (after["cpu_s"] - before["cpu_s"])


async def _hammer(endpoint: Served, seconds: float) -> None:
    """Raw requests over 64 connections, each sent when the last was answered."""
    body = json.dumps({"messages": [{"role": "user", "content": "item-000000 " + "x " * 2000}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\ncontent-length: {len(body)}"
    request, until = f"{head}\r\n\r\n{body}".encode(), time.perf_counter() + seconds

    async def lane() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(lane() for _ in range(64)))


def _there(client: str, phoenix_python: str) -> bool:
    """Whether the client is installed; says so where it is not."""
    if client != "phoenix":
        return True
    found = subprocess.run([phoenix_python, "-c", "import phoenix.evals"], capture_output=True)
    if found.returncode:
        print("phoenix: skipped, arize-phoenix-evals is not installed (see --phoenix-python)")
    return found.returncode == 0


if __name__ == "__main__":
    stay_on_core(0)
    main()

"""An OpenAI-compatible chat endpoint of fixed latency, in a process of its own, for measurements.

It parses no more of a request than it must, so that it answers faster than any client asks. Each
question holds an item's number, as in `item-000042`; the faults of the mix strike chosen items at
their first attempt, whoever asks, so every client meets the same ones.

    .venv/bin/python -m benchmarks.mock_endpoint --latency 0.2 [--faults]
"""

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from urllib.request import urlopen

FAULTS = {"429": 0.05, "500": 0.02, "broken": 0.01, "hang": 0.01}
"""The share of items whose first attempt is refused, fails, gets torn JSON, or no answer."""
ITEMS = 2000

_ITEM = re.compile(rb"item-(\d{6})")
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_VERDICT = json.dumps(
    {"explanation": "Each claim of the answer is in a document.", "choice": "supported"}
)
_TOOL_VERDICT = json.dumps(
    {"explanation": "Each claim of the answer is in a document.", "label": "faithful"}
)


def _completion(verdict: str, *, tool: bool) -> bytes:
    call = {"id": "call", "type": "function", "function": {"name": "verdict", "arguments": verdict}}
    message = {"role": "assistant", "content": None if tool else verdict, "refusal": None}
    reply = {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1_767_000_000,
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls" if tool else "stop",
                "logprobs": None,
                "message": message | ({"tool_calls": [call]} if tool else {}),
            }
        ],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
    }
    return json.dumps(reply).encode()


def _response(status: str, body: bytes, *headers: str) -> bytes:
    head = [
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


_PLAIN = _response("200 OK", _completion(_VERDICT, tool=False))
_LABELLED = _response("200 OK", _completion(_TOOL_VERDICT, tool=False))
_REPLIES = {
    "429": _response(
        "429 Too Many Requests", b'{"error": {"message": "slow down"}}', "retry-after: 1"
    ),
    "500": _response("500 Internal Server Error", b'{"error": {"message": "oops"}}'),
    "broken": _response("200 OK", _completion(_VERDICT[:30], tool=False)),
}


class MockEndpoint:
    """What it was asked so far, and what it does next."""

    def __init__(self, latency_s: float, *, faults: bool) -> None:
        self.latency_s = latency_s
        self.requests = 0
        self._faults = faulty_items() if faults else {}

    def reply(self, request: bytes) -> bytes | None:
        """The response to a request; None for one that is never answered."""
        self.requests += 1
        if self._faults and (item := _ITEM.search(request)) is not None:
            fault = self._faults.pop(int(item[1]), None)
            if fault is not None:
                return _REPLIES.get(fault)
        return _LABELLED if b'"label"' in request else _PLAIN

    def account(self) -> bytes:
        """What it did, as JSON: requests and the CPU seconds of this process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        account = {"requests": self.requests, "cpu_s": used.ru_utime + used.ru_stime}
        return _response("200 OK", json.dumps(account).encode(), "connection: close")


def faulty_items() -> dict[int, str]:
    """Item number -> fault: exactly the shares of `FAULTS`, spread over the items."""
    order = Random(11).sample(range(ITEMS), ITEMS)
    kinds = [kind for kind, share in FAULTS.items() for _ in range(round(share * ITEMS))]
    return dict(zip(order, kinds, strict=False))


class _Connection(asyncio.Protocol):
    """Requests of one connection, one after the other."""

    def __init__(self, endpoint: MockEndpoint) -> None:
        self._endpoint = endpoint
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(received) < size:
                return
            request = bytes(received[:size])
            del received[:size]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET"):
            self._write(self._endpoint.account())
            return
        reply = self._endpoint.reply(request)
        if reply is not None:
            self._loop.call_later(self._endpoint.latency_s, self._write, reply)

    def _write(self, reply: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running endpoint and where it is."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def account(self) -> dict[str, float]:
        """Requests and CPU seconds so far."""
        with urlopen(f"http://127.0.0.1:{self.port}/account", timeout=10) as response:
            account: dict[str, float] = json.load(response)
        return account


@contextmanager
def mock_endpoint(latency_s: float, *, faults: bool = False) -> Iterator[Served]:
    """Starts it on the last core, and stops it at the end."""
    command = [sys.executable, "-m", "benchmarks.mock_endpoint", "--latency", str(latency_s)]
    server = subprocess.Popen(
        command + ["--faults"] * faults, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert server.stdout is not None
    try:
        yield Served(port=int(server.stdout.readline()))
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def stay_on_core(place: int) -> None:
    """Keeps this process on one core, where the system can: client and endpoint apart."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)]})


async def _serve(latency_s: float, *, faults: bool) -> None:
    loop = asyncio.get_running_loop()
    endpoint = MockEndpoint(latency_s, faults=faults)
    server = await loop.create_server(lambda: _Connection(endpoint), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serves until it is stopped; the first line it prints is its port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--faults", action="store_true")
    arguments = parser.parse_args()
    stay_on_core(-1)
    asyncio.run(_serve(arguments.latency, faults=arguments.faults))


if __name__ == "__main__":
    main()

"""A scripted OpenAI-compatible endpoint on loopback: real HTTP, replies as the test wrote them."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StubRequest:
    """One request as it came over the wire."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All messages' contents."""
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StubReply:
    """What to answer, `delay_s` later; or, with `hang_up`, to close the connection instead.

    With `drip_s` the body goes out byte by byte, so far apart.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    hang_up: bool = False
    drip_s: float = 0.0


Script = Callable[[StubRequest], StubReply]


def completion(content: str | None, **overrides: Any) -> StubReply:
    """A chat completion with that content. Overrides: refusal, finish_reason, usage, delay_s."""
    reply: dict[str, Any] = {
        "id": "stub",
        "object": "chat.completion",
        "model": "stub",
        "choices": [
            {
                "index": 0,
                "finish_reason": overrides.get("finish_reason", "stop"),
                "message": {
                    "role": "assistant",
                    "content": content,
                    "refusal": overrides.get("refusal"),
                },
            }
        ],
    }
    usage = overrides.get("usage", (100, 20))
    if usage is not None:
        reply["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return StubReply(body=json.dumps(reply).encode(), delay_s=overrides.get("delay_s", 0.0))


def verdict(choice: str, explanation: str = "because", **overrides: Any) -> StubReply:
    """A well-formed structured answer."""
    return completion(json.dumps({"explanation": explanation, "choice": choice}), **overrides)


def refusal_to_serve(
    status: int,
    message: str = "no",
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> StubReply:
    """An error in OpenAI's form."""
    error = {"error": {"message": message, "type": "stub", "code": code, "param": param}}
    return StubReply(status=status, body=json.dumps(error).encode(), headers=headers or {})


def in_turn(replies: Sequence[StubReply]) -> Script:
    """Each reply once, in order, and the last for ever after."""
    rest = list(replies)
    return lambda _: rest.pop(0) if len(rest) > 1 else rest[0]


class StubEndpoint:
    """Serves `script` while its `with` block lasts. `max_in_flight` is what it saw at one time."""

    def __init__(self, script: Script) -> None:
        self.requests: list[StubRequest] = []
        self.max_in_flight = 0
        self._script = script
        self._in_flight = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.endpoint = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def reply_to(self, request: StubRequest) -> StubReply:
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            reply = self._script(request)
        try:
            time.sleep(reply.delay_s)
        finally:
            with self._lock:
                self._in_flight -= 1
        return reply

    def __enter__(self) -> "StubEndpoint":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _parts(reply: StubReply) -> Iterator[bytes]:
    if not reply.drip_s:
        yield reply.body
        return
    yield from (bytes([byte]) for byte in reply.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    endpoint: StubEndpoint


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        request = StubRequest(
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(self.rfile.read(length)),
        )
        reply = self.server.endpoint.reply_to(request)
        if reply.hang_up:
            self.close_connection = True
            return
        head = {"content-type": "application/json", "content-length": str(len(reply.body))}
        try:
            self.send_response(reply.status)
            for name, value in (head | dict(reply.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            for part in _parts(reply):
                self.wfile.write(part)
                time.sleep(reply.drip_s)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client stopped waiting, as some tests make it do

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the base class writes each request to stderr."""

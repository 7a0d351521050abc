"""Receivers of messages on loopback, shaped like Slack's, PagerDuty's and any webhook's."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

SLACK_PATH = "/services/T000/B000/secret-of-slack"
PAGERDUTY_KEY = "R0123456789ABCDEF0123456789ABCDE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request that was taken."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class Receiver:
    """Takes messages while its `with` block lasts.

    It answers as Slack does at SLACK_PATH, as PagerDuty does at /v2/enqueue, and with 204 at
    /hook; what their rules refuse is refused. With `down` everything gets that status.
    """

    down: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    attempts: int = 0
    incidents: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, answer = receiver.answer(self.path, dict(self.headers), content)
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Tests print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        return [received.body for received in self.taken]

    def answer(self, path: str, headers: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        self.attempts += 1
        if self.down is not None:
            return self.down, f"gone away: {path}".encode()
        body = json.loads(content)
        if path == SLACK_PATH:
            status, answer = 200, b"ok"
            fault = slack_fault(body)
        elif path == "/v2/enqueue":
            status, answer = 202, b'{"status":"success","message":"Event processed"}'
            fault = self._pagerduty(body)
        else:
            status, answer = (204, b"") if path == "/hook" else (404, b"no_service")
            fault = None
        if fault is not None:
            self.refused.append(fault)
            return 400, fault.encode()
        if status < 300:
            self.taken.append(Received(path=path, headers=headers, body=body))
        return status, answer

    def _pagerduty(self, event: Mapping[str, Any]) -> str | None:
        """PagerDuty's rules for events, and what they do to its incidents."""
        key, action = str(event.get("dedup_key", "")), event.get("event_action")
        if event.get("routing_key") != PAGERDUTY_KEY:
            return f"invalid routing key {event.get('routing_key')}"
        if not 0 < len(key) <= 255 or action not in ("trigger", "acknowledge", "resolve"):
            return "invalid event"
        if action == "trigger":
            payload = event["payload"]
            if not 0 < len(payload["summary"]) <= 1024 or not payload["source"]:
                return "invalid payload"
            if payload["severity"] not in ("critical", "error", "warning", "info"):
                return "invalid severity"
        if action == "trigger" or key in self.incidents:
            ended = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}
            self.incidents[key] = ended[str(action)]
        return None


def slack_fault(body: Mapping[str, Any]) -> str | None:
    """What Slack finds wrong with a message, None when nothing."""
    if not body.get("text"):
        return "no_text"
    for block in body["blocks"]:
        texts = [*([block["text"]] if "text" in block else []), *block.get("fields", [])]
        limit = 150 if block["type"] == "header" else 3000
        for text in texts:
            most = limit if text is block.get("text") else 2000
            if text["type"] != "plain_text" or not 0 < len(text["text"]) <= most:
                return "invalid_blocks"
        if len(block.get("fields", [])) > 10:
            return "invalid_blocks"
    return None

"""A provider with files and batches on a loopback socket, whose answers a test writes down.

It also answers single questions, by the same script, so that both ways can be compared.
"""

import email
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stub_endpoint import Script, StubRequest

CREATED_AT = 1_772_000_000

_Answer = tuple[int, Any]


@dataclass
class StubFile:
    """A file as the provider keeps it."""

    name: str
    content: bytes

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content.splitlines()]


@dataclass
class StubBatches:
    """Serves while its `with` block lasts. Batches stay in progress until a test ends them.

    `refuse` maps "METHOD /route" to the status it is answered with, nothing done; what is in `lose`
    is done, and the connection closed instead of an answer. `before` is called with
    "METHOD /route" before anything is done, `after` when it is done and not yet answered.
    """

    script: Script
    files: dict[str, StubFile] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    lose: set[str] = field(default_factory=set)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    routes: list[str] = field(default_factory=list)
    asked: list[StubRequest] = field(default_factory=list)
    uploads: list[StubFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def finish(
        self,
        status: str = "completed",
        answers: Callable[[int], bool] = lambda _: True,
        *,
        spoil: Callable[[bytes], bytes] = lambda content: content,
        missing: bool = False,
    ) -> None:
        """Ends the batches in progress: lines for whose number `answers` is true are answered, in
        the reverse of their order; of the others the error file tells, unless they are `missing`.
        """
        with self.lock:
            for batch in self.batches.values():
                if batch["status"] in ("validating", "in_progress", "finalizing", "cancelling"):
                    self._finish(batch, status, answers, spoil, missing)

    def _finish(
        self,
        batch: dict[str, Any],
        status: str,
        answers: Callable[[int], bool],
        spoil: Callable[[bytes], bytes],
        missing: bool,
    ) -> None:
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for number, line in enumerate(self.files[batch["input_file_id"]].lines):
            head = {"id": f"r{number}", "custom_id": line["custom_id"]}
            if answers(number):
                request = StubRequest(path=line["url"], headers={}, body=line["body"])
                self.asked.append(request)
                reply = self.script(request)
                body = json.loads(reply.body)
                response = {"status_code": reply.status, "request_id": "x", "body": body}
                kind = good if reply.status == 200 else bad
                kind.append({**head, "response": response, "error": None})
            elif not missing:
                error = {"code": f"batch_{status}", "message": "too late"}
                bad.append({**head, "response": None, "error": error})
        batch["status"] = status
        batch["request_counts"] = {
            "total": len(good) + len(bad),
            "completed": len(good),
            "failed": len(bad),
        }
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                text = "\n".join(json.dumps(line) for line in reversed(lines)) + "\n"
                batch[name] = self._keep(StubFile(name="results", content=spoil(text.encode())))

    def fail_validation(self, code: str = "invalid_json_line") -> None:
        """Ends the batches in progress before any of their lines was asked."""
        with self.lock:
            for batch in self.batches.values():
                if batch["status"] in ("validating", "in_progress"):
                    batch["status"] = "failed"
                    fault = {"code": code, "message": "line 1 is bad", "line": 1}
                    batch["errors"] = {"object": "list", "data": [fault]}

    def _keep(self, file: StubFile) -> str:
        file_id = f"file-{len(self.uploads)}-{len(self.files)}-{file.name[:12]}"
        self.files[file_id] = file
        return file_id

    def answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> _Answer | None:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v1").strip("/").split("/")
        route = f"{method} /" + "/".join([path[0], *(["id"] if len(path) > 1 else []), *path[2:]])
        if path[0] == "chat":
            route = f"{method} /chat"
        self.routes.append(route)
        self.before(route)
        if route in self.refuse:
            status = self.refuse[route]
            return status, {"error": {"message": "no", "code": None, "type": "stub"}}
        with self.lock:
            answered = self._do(route, path, parse_qs(parts.query), headers, body)
        self.after(route)
        return None if route in self.lose else answered

    def _do(
        self,
        route: str,
        path: list[str],
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> _Answer:
        if route == "POST /chat":
            request = StubRequest(path=route, headers=headers, body=json.loads(body))
            self.asked.append(request)
            reply = self.script(request)
            return reply.status, json.loads(reply.body)
        if path[0] == "files":
            return self._files(route, path, headers, body)
        return self._batches(route, path, query, body)

    def _files(
        self, route: str, path: list[str], headers: Mapping[str, str], body: bytes
    ) -> _Answer:
        if route == "POST /files":
            file = _uploaded(headers["content-type"], body)
            self.uploads.append(file)
            return 200, _file_object(self._keep(file), file)
        if route == "GET /files":
            listed = [_file_object(file_id, file) for file_id, file in self.files.items()]
            return 200, {"object": "list", "data": listed, "has_more": False}
        if path[1] not in self.files:
            return 404, {"error": {"message": "no such file", "code": None}}
        if route == "GET /files/id/content":
            return 200, self.files[path[1]].content
        del self.files[path[1]]
        return 200, {"id": path[1], "object": "file", "deleted": True}

    def _batches(
        self, route: str, path: list[str], query: Mapping[str, list[str]], body: bytes
    ) -> _Answer:
        if route == "POST /batches":
            asked = json.loads(body)
            if asked["input_file_id"] not in self.files:
                return 400, {"error": {"message": "no such file", "code": None}}
            batch = {
                "id": f"batch-{len(self.batches)}",
                "object": "batch",
                "status": "in_progress",
                "created_at": CREATED_AT + len(self.batches),
                "expires_at": CREATED_AT + 86_400,
                **asked,
            }
            self.batches[batch["id"]] = batch
            return 200, batch
        if route == "GET /batches":
            newest_first = list(self.batches.values())[::-1]
            ids = [batch["id"] for batch in newest_first]
            start = ids.index(query["after"][0]) + 1 if "after" in query else 0
            page = newest_first[start : start + 2]
            more = start + 2 < len(ids)
            return 200, {"object": "list", "data": page, "has_more": more}
        batch = self.batches.get(path[1], {})
        if not batch:
            return 404, {"error": {"message": "no such batch", "code": None}}
        if route == "POST /batches/id/cancel":
            if batch["status"] not in ("validating", "in_progress", "finalizing"):
                return 409, {"error": {"message": "it has ended", "code": None}}
            batch["status"] = "cancelling"
        return 200, batch

    def __enter__(self) -> "StubBatches":
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


def _uploaded(content_type: str, body: bytes) -> StubFile:
    message = email.message_from_bytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    for part in message.walk():
        if part.get_filename():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return StubFile(name=str(part.get_filename()), content=content)
    raise AssertionError("the upload holds no file")


def _file_object(file_id: str, file: StubFile) -> dict[str, Any]:
    return {
        "id": file_id,
        "object": "file",
        "bytes": len(file.content),
        "created_at": CREATED_AT,
        "filename": file.name,
        "purpose": "batch",
        "status": "processed",
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    provider: StubBatches


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answered = self.server.provider.answer(
            self.command, self.path, headers, self.rfile.read(length)
        )
        if answered is None:
            self.close_connection = True
            return
        status, answer = answered
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked was killed, as some tests make it be

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that the base class looks up

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the base class writes each request to stderr."""

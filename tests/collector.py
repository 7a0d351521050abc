"""An OpenTelemetry collector on loopback: OTLP over HTTP, decoded by its own protocol buffers."""

import gzip
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenEvent:
    """An event that was taken; ids are hexadecimal, empty where there are none."""

    name: str
    at: int
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


@dataclass
class LoopbackCollector:
    """Takes logs and metrics while its `with` block lasts.

    With `down` everything gets that status; with `down_after` all but the first requests for logs
    do; `refuses_metrics` answers those alone with 400. `rejects` is how many records of each
    request for logs it says it dropped. With `dribbles` its headers never end.
    """

    down: int | None = None
    down_after: int | None = None
    refuses_metrics: bool = False
    dribbles: bool = False
    rejects: int = 0
    port: int = 0
    events: list[TakenEvent] = field(default_factory=list)
    points: list[tuple[str, Mapping[str, Any], int, float]] = field(default_factory=list)
    resources: list[Mapping[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                collector.headers.append(dict(self.headers))
                for _ in range(40 if collector.dribbles else 0):
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    time.sleep(0.05)
                status, answer = collector.answer(self.path, content)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Tests print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
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
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, content: bytes) -> tuple[int, bytes]:
        self.requests.append(path)
        logs = sum(each == "/v1/logs" for each in self.requests)
        if self.down is not None:
            return self.down, b"gone away"
        if path == "/v1/logs":
            if self.down_after is not None and logs > self.down_after:
                return 500, b"gone away"
            self._take_logs(content)
            answered = ExportLogsServiceResponse()
            answered.partial_success.rejected_log_records = self.rejects
            return 200, answered.SerializeToString()
        if path == "/v1/metrics":
            if self.refuses_metrics:
                return 400, b"out of order"
            self._take_metrics(content)
            return 200, ExportMetricsServiceResponse().SerializeToString()
        return 404, b""

    def _take_logs(self, content: bytes) -> None:
        request = ExportLogsServiceRequest.FromString(content)
        for of_resource in request.resource_logs:
            self.resources.append(_attributes(of_resource.resource))
            for of_scope in of_resource.scope_logs:
                self.events += [
                    TakenEvent(
                        name=record.event_name,
                        at=record.time_unix_nano,
                        trace_id=record.trace_id.hex(),
                        span_id=record.span_id.hex(),
                        attributes=_attributes(record),
                    )
                    for record in of_scope.log_records
                ]

    def _take_metrics(self, content: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(content)
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data"))
                    self.points += [
                        (metric.name, _attributes(point), point.time_unix_nano, point.as_double)
                        for point in data.data_points
                    ]


def _attributes(holder: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes
    }

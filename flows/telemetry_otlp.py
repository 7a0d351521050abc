"""Sending to an OpenTelemetry collector, by OTLP over HTTP, and what became of each request.

Addresses, headers, certificates and time-outs come from the standard variables of the environment,
which the exporters of the SDK read. The SDK is the extra `otel` and loaded at the first request.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal, get_args

from flows.metrics import Metric, Point
from flows.telemetry_events import EVENT_NAME, Event
from tailwatch import __version__

Signal = Literal["logs", "metrics"]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

ATTEMPT_S: Final = 30.0
"""How long one request may take with its tries, whatever the environment allows."""

POINTS_AT_ONCE: Final = 2_000

_LOGGER = "opentelemetry.exporter.otlp.proto.http"
_NOT_THE_DATA: Final = (401, 403, 404, 408, 429)
"""Refusals that say nothing of what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of a request: `sent`, `refused` for what was in it, or worth another try.

    `sentence` says why it was not sent, without an address or a header; `rejected` counts what the
    receiver took in but would not keep.
    """

    sent: bool
    refused: bool = False
    sentence: str = ""
    rejected: int = 0


def why_not(signal: Signal, environment: Mapping[str, str]) -> str | None:
    """What keeps the signal from being sent, and the cure; None where nothing does."""
    names = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not any(environment.get(name, "").strip() for name in names):
        return f"no {signal} are sent: set {names[1]}, such as http://127.0.0.1:4318"
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return f"no {signal} are sent: OTEL_SDK_DISABLED is set"
    protocols = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next(filter(None, (environment.get(name, "").strip() for name in protocols)), "")
    if protocol not in ("", "http/protobuf"):
        return f"no {signal} are sent: {protocols[1]} is {protocol!r}; accepted is http/protobuf"
    if find_spec("opentelemetry.exporter") is None or find_spec("opentelemetry.sdk") is None:
        return f"no {signal} are sent: install tailwatch[otel]"
    return None


class Collector:
    """A collector, as the environment names it. Every request ends in a Reply; none raises."""

    def __init__(self) -> None:
        self._exporters: dict[Signal, _Exporter] = {}
        # The SDK's own messages may hold the address; ours say the same without it.
        logging.getLogger(_LOGGER).setLevel(logging.CRITICAL + 1)

    def send_events(self, events: Sequence[Event], observed: datetime) -> Reply:
        """Sends the events in one request."""
        return self._send("logs", lambda exporter: exporter.export(_log_records(events, observed)))

    def send_points(self, points: Iterable[Point], at: datetime) -> Reply:
        """Sends the points, all of that time, in requests of some thousand."""
        return self._send("metrics", lambda exporter: exporter.export(_metrics(points, at)))

    def close(self) -> None:
        """Closes the connections."""
        for exporter in self._exporters.values():
            exporter.close()

    def _send(self, signal: Signal, export: Callable[[Any], object]) -> Reply:
        """In a thread of its own, for a receiver that answers byte by byte ends no time-out."""
        replies: list[Reply] = []

        def attempt() -> None:
            try:
                exporter = self._exporters.get(signal)
                if exporter is None:
                    exporter = self._exporters[signal] = _Exporter(signal)
                replies.append(exporter.reply_to(export))
            except Exception as error:  # noqa: BLE001 - a fault of the SDK must not end the run
                # Its text may hold an address or a header.
                replies.append(Reply(sent=False, sentence=f"failed: {type(error).__name__}"))

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(ATTEMPT_S)
        return replies[0] if replies else Reply(sent=False, sentence=_no_answer())


class _Exporter:
    """An exporter of the SDK, whose session tells how each request was answered."""

    def __init__(self, signal: Signal) -> None:
        self._statuses: list[int] = []
        self._rejected = 0
        self._signal = signal
        session = import_module("requests").Session()
        session.hooks["response"].append(self._heard)
        if signal == "logs":
            module = import_module("opentelemetry.exporter.otlp.proto.http._log_exporter")
            self._exporter: Any = module.OTLPLogExporter(session=session)
        else:
            module = import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
            self._exporter = module.OTLPMetricExporter(
                session=session, max_export_batch_size=POINTS_AT_ONCE
            )

    def reply_to(self, export: Callable[[Any], Any]) -> Reply:
        self._statuses, self._rejected = [], 0
        succeeded = export(self._exporter).name == "SUCCESS"
        status = self._statuses[-1] if self._statuses else None
        if status is None:
            return Reply(sent=succeeded, sentence="" if succeeded else _no_answer())
        # A redirect is a success to the SDK, which follows none: what was sent went nowhere.
        if succeeded and status < 300:
            return Reply(sent=True, rejected=self._rejected)
        return Reply(
            sent=False,
            refused=400 <= status < 500 and status not in _NOT_THE_DATA,
            sentence=f"the collector answered {status}",
        )

    def close(self) -> None:
        self._exporter.shutdown()

    def _heard(self, response: Any, *_: object, **__: object) -> None:
        self._statuses.append(response.status_code)
        if response.status_code == 200:
            self._rejected += _rejected_of(self._signal, response.content)


def _no_answer() -> str:
    return "the collector did not answer"


def _rejected_of(signal: Signal, content: bytes) -> int:
    """What the receiver says it dropped; 0 where it says nothing, or nothing that can be read."""
    package = import_module(f"opentelemetry.proto.collector.{signal}.v1.{signal}_service_pb2")
    answer = getattr(package, f"Export{signal.capitalize()}ServiceResponse")()
    try:
        answer.ParseFromString(content)
    except ValueError:  # protobuf's DecodeError is one
        return 0
    partial = answer.partial_success
    return int(partial.rejected_log_records if signal == "logs" else partial.rejected_data_points)


def _resource() -> Any:
    """Who sends: tailwatch, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    resources = import_module("opentelemetry.sdk.resources")
    own = resources.Resource({"service.name": "tailwatch", "service.version": __version__})
    return own.merge(resources.OTELResourceDetector().detect())


def _scope() -> Any:
    scopes = import_module("opentelemetry.sdk.util.instrumentation")
    return scopes.InstrumentationScope("tailwatch", __version__)


def _log_records(events: Sequence[Event], observed: datetime) -> list[Any]:
    logs, sdk = import_module("opentelemetry._logs"), import_module("opentelemetry.sdk._logs")
    resource, scope = _resource(), _scope()
    return [
        sdk.ReadableLogRecord(
            log_record=logs.LogRecord(
                timestamp=_nanoseconds(event.at),
                observed_timestamp=_nanoseconds(observed),
                context=_context(event),
                severity_number=logs.SeverityNumber.INFO,
                event_name=EVENT_NAME,
                attributes=dict(event.attributes),
            ),
            resource=resource,
            instrumentation_scope=scope,
        )
        for event in events
    ]


def _context(event: Event) -> Any:
    """The evaluated span as the context in which the event happened."""
    trace = import_module("opentelemetry.trace")
    span = trace.SpanContext(event.trace_id or 0, event.span_id or 0, is_remote=True)
    context = import_module("opentelemetry.context").Context()
    return trace.set_span_in_context(trace.NonRecordingSpan(span), context)


def _metrics(points: Iterable[Point], at: datetime) -> Any:
    sdk = import_module("opentelemetry.sdk.metrics.export")
    by_metric: dict[Metric, list[Any]] = {}
    for point in points:
        by_metric.setdefault(point.metric, []).append(
            sdk.NumberDataPoint(
                attributes={name: value for name, value in point.labels.items() if value},
                start_time_unix_nano=0,
                time_unix_nano=_nanoseconds(at),
                value=point.value,
            )
        )
    found = [
        sdk.Metric(
            name=metric.otel,
            description=metric.about,
            unit=metric.unit,
            data=sdk.Sum(of_metric, sdk.AggregationTemporality.CUMULATIVE, is_monotonic=True)
            if metric.counter
            else sdk.Gauge(of_metric),
        )
        for metric, of_metric in by_metric.items()
    ]
    scoped = sdk.ScopeMetrics(scope=_scope(), metrics=found, schema_url="")
    of_resource = sdk.ResourceMetrics(resource=_resource(), scope_metrics=[scoped], schema_url="")
    return sdk.MetricsData(resource_metrics=[of_resource])


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000

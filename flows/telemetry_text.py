"""The metrics as Prometheus' text: printed, written into a file, served to a scraper."""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from flows.metrics import EVERY_METRIC, Metric, Point
from flows.telemetry_figures import hour_points, present_points
from storage.store import Store
from tailwatch.errors import ConfigurationError, TailwatchError
from tailwatch.plan import Plan

DEFAULT_PORT: Final = 9464
LOOPBACK: Final = "127.0.0.1"
_READ_TIMEOUT_S: Final = 10.0


def scraped(points: Iterable[Point]) -> str:
    """The points in the text format of Prometheus, version 0.0.4, each metric with its help."""
    by_metric: dict[Metric, list[Point]] = {}
    for point in points:
        by_metric.setdefault(point.metric, []).append(point)
    families = [_family(m, by_metric[m]) for m in EVERY_METRIC if m in by_metric]
    return generate_latest(_Families(families)).decode()


def metrics_text(store: Store, plan: Plan, now: datetime) -> str:
    """The newest evaluated hour and the present as Prometheus' text."""
    newest = store.last_window(plan.source.name)
    points = hour_points(store, plan, newest) if newest else []
    return scraped(points + present_points(store, plan, now))


class _Families(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def _family(metric: Metric, points: Sequence[Point]) -> Family:
    kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
    names = sorted({name for point in points for name in point.labels})
    family = kind(metric.name, metric.about, labels=names)
    for point in points:
        family.add_metric([point.labels.get(name, "") for name in names], point.value)
    return family


def write_whole(text: str, path: Path) -> None:
    """Writes the file whole or not at all, for whoever reads it at the same time.

    Raises ConfigurationError when it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9464`, `[::1]:9464`, or `9464` for this machine alone.

    Raises ConfigurationError for anything else.
    """
    host, _, port = text.strip().rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigurationError(
            f"--listen is {text!r}; write an address such as {LOOPBACK}:{DEFAULT_PORT}, or a port"
        )
    return host.strip("[]") or LOOPBACK, int(port)


class MetricsServer(ThreadingHTTPServer):
    """Serves /metrics, computed anew for each scrape, one scrape after another.

    What `compute` raises of tailwatch's own errors becomes 503, so that the scraper sees that
    there are no figures. Raises ConfigurationError when it cannot listen there.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, compute: Callable[[], str]) -> None:
        self._compute = compute
        self._one_at_a_time = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror or error}"
            ) from error

    def answer(self) -> tuple[HTTPStatus, str]:
        """The figures, or why there are none."""
        with self._one_at_a_time:
            try:
                return HTTPStatus.OK, self._compute()
            except TailwatchError as error:
                return HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n"


class _Handler(BaseHTTPRequestHandler):
    timeout = _READ_TIMEOUT_S
    server: MetricsServer

    def do_GET(self) -> None:
        """Answers /metrics, and nothing else."""
        if self.path.partition("?")[0] != "/metrics":
            self._send(HTTPStatus.NOT_FOUND, "the figures are at /metrics\n", "text/plain")
            return
        status, text = self.server.answer()
        self._send(status, text, CONTENT_TYPE_PLAIN_0_0_4)

    def _send(self, status: HTTPStatus, text: str, kind: str) -> None:
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """A scrape every minute is no news."""

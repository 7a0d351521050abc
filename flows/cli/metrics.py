"""`tailwatch metrics`: figures for a scraper, and for an OpenTelemetry collector."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.context import chosen, console, now
from flows.telemetry_text import MetricsServer, listen_address, metrics_text, write_whole
from tailwatch.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("metrics")(metrics)


def metrics(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(help="Write them into this file, whole; for node_exporter it ends in .prom."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            help="Serve them at /metrics, e.g. 127.0.0.1:9464; a port alone is this machine's."
        ),
    ] = None,
) -> None:
    """Print what a Prometheus scrapes: scores of the newest hour, coverage, alerts, cost."""
    command = chosen(context)
    plan = command.plan_file().plan
    if out is not None and listen is not None:
        raise ConfigurationError("--out writes once and --listen serves; leave out one of them")
    with command.store() as store:
        if listen is not None:
            host, port = listen_address(listen)
            _serve(MetricsServer(host, port, lambda: metrics_text(store, plan, now())))
            return
        text = metrics_text(store, plan, now())
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(text, out)


def _serve(server: MetricsServer) -> None:
    host, port = server.server_address[:2]
    out = console()
    out.print(f"http://{_shown(str(host))}:{port}/metrics  (Ctrl-C stops)", markup=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("Stopped.")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""`tailwatch metrics`: figures for a scraper, and for an OpenTelemetry collector."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.context import chosen, console, now, say_error
from flows.telemetry import send_telemetry, telemetry_line
from flows.telemetry_text import MetricsServer, listen_address, metrics_text, write_whole
from storage.store import Store
from tailwatch.errors import ConfigurationError
from tailwatch.plan import Plan

EXIT_NOT_SENT = 1

BY_HAND = timedelta(minutes=30)
"""How long a command goes on sending; whoever waits for it may stop it at any time."""


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
    send: Annotated[
        bool,
        typer.Option("--send", help="Send an OpenTelemetry collector now what it is owed."),
    ] = False,
) -> None:
    """Print what a Prometheus scrapes: scores of the newest hour, coverage, alerts, cost."""
    command = chosen(context)
    plan = command.plan_file().plan
    if sum((out is not None, listen is not None, send)) > 1:
        raise ConfigurationError("--out, --listen and --send are three ways out; take one of them")
    with command.store() as store:
        if send:
            _send(store, plan)
            return
        if listen is not None:
            host, port = listen_address(listen)
            _serve(MetricsServer(host, port, lambda: metrics_text(store, plan, now())))
            return
        text = metrics_text(store, plan, now())
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(text, out)


def _send(store: Store, plan: Plan) -> None:
    report = send_telemetry(store, plan, now, patience=BY_HAND)
    if report is None:
        raise ConfigurationError("the plan tells no collector: set `telemetry: {otlp: true}` in it")
    if report.why is not None:
        say_error(telemetry_line(report))
        raise typer.Exit(EXIT_NOT_SENT)
    console().print(telemetry_line(report), markup=False)


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

"""`tailwatch plan check`, `db upgrade`, `doctor` and `up`: setting up and keeping up."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Annotated

import typer
from pydantic import SecretStr

from flows.cli.context import ROOT, chosen, console, now, say_json
from flows.doctor import examine
from flows.supervisor import Addresses, prefect_environment, running
from flows.wiring import build_judge, build_parts, opened_store
from tailwatch.settings import Settings

plan_app = typer.Typer(help="The evaluation plan.", no_args_is_help=True)
db_app = typer.Typer(help="The results store.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("doctor")(doctor)
    app.command("up")(up)


@plan_app.command("check")
def check(context: typer.Context) -> None:
    """Read the plan and build its parts; say every fault with its line and what is accepted."""
    command = chosen(context)
    plan_file = command.plan_file()

    async def work() -> str:
        judge = build_judge(plan_file.plan.judge, command.settings)
        try:
            with opened_store(command.settings, plan_file.plan) as store:
                parts = build_parts(plan_file, judge, store)
            return (
                f"{plan_file.path} is fine: source {parts.source.name!r}, "
                f"{len(parts.evaluators)} evaluators, {len(parts.plan.measures)} measures, "
                f"{len(parts.rules)} alert rules."
            )
        finally:
            if judge is not None:
                await judge.close()

    console().print(asyncio.run(work()), markup=False)


@db_app.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Create the store's tables, or bring them up to this version. Twice changes nothing."""
    with opened_store(chosen(context).settings) as store:
        store.upgrade()
        store.check_schema()
    console().print("The results store is up to date.")


@db_app.command("stats")
def stats(context: typer.Context) -> None:
    """How many rows each table has."""
    with chosen(context).store() as store:
        for table, rows in store.stats().items():
            console().print(f"{table:<16} {rows:>12,}")


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """What is configured, what answers, what is missing. Exit code 1: something needs mending."""
    found = asyncio.run(examine(chosen(context).settings, now()))
    if as_json:
        say_json([{"about": f.about, "ok": f.ok, "says": f.sentence} for f in found])
    else:
        out = console()
        for finding in found:
            mark = {True: "ok     ", False: "PROBLEM", None: "note   "}[finding.ok]
            out.print(f"{mark}  {finding.about:<12} {finding.sentence}", markup=False)
    if any(finding.ok is False for finding in found):
        raise typer.Exit(1)


def up(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
) -> None:
    """Start a Prefect server and a worker with the hourly schedules; stop all with Ctrl-C."""
    command = chosen(context)
    settings = command.settings
    plan_file = command.plan_file()
    out = console()
    with opened_store(settings, plan_file.plan) as store:
        store.upgrade()
        build_parts(plan_file, None, store)
    addresses = Addresses(host=host, port=port)
    environment = {**prefect_environment(addresses, settings.home), **_for_runs(settings)}
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    with running(addresses, settings.home, ROOT, environment, out.print) as services:
        out.print(f"\n  runs and schedules  {addresses.page}", markup=False)
        out.print(f"  backfill form       {addresses.page}/deployments", markup=False)
        out.print(f"  plan                {settings.plan}", markup=False)
        out.print(f"  logs                {settings.home / 'logs'}\n", markup=False)
        out.print("The hourly run starts at 12 minutes past, the alert check at 32. Ctrl-C stops.")
        while not stopped.wait(1.0):
            services.watch()


def _for_runs(settings: Settings) -> dict[str, str]:
    """What the runs need to know of the settings that this command was given."""
    store = SecretStr(settings.store)
    return {
        "TAILWATCH_PLAN": str(settings.plan.absolute()),
        "TAILWATCH_HOME": str(settings.home.absolute()),
        "TAILWATCH_STORE_URL": store.get_secret_value(),
    }

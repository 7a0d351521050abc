"""`tailwatch plan check`, `db upgrade`, `doctor` and `up`: setting up and keeping up."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Annotated

import typer
from pydantic import SecretStr

from flows.cli.context import ROOT, chosen, console, now, progress_bar, say_json
from flows.doctor import examine
from flows.forgetting import forget_old, forgotten_line
from flows.judges import opened_judges
from flows.supervisor import Addresses, prefect_environment, running
from flows.wiring import build_parts, opened_store
from tailwatch.plan import RetentionPlan
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
        async with opened_judges(plan_file, command.settings) as (judge, second):
            with opened_store(command.settings, plan_file.plan) as store:
                parts = build_parts(plan_file, judge, store, second=second)
            return (
                f"{plan_file.path} is fine: source {parts.source.name!r}, "
                f"{len(parts.evaluators)} evaluators, {len(parts.plan.measures)} measures, "
                f"{len(parts.rules)} alert rules."
            )

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
    """How large the store is, table by table, indexes included."""
    with chosen(context).store() as store:
        sizes = store.table_sizes()
    out = console()
    out.print(f"{'table':<18} {'rows':>12} {'size':>12} {'bytes a row':>12}")
    for name, size in sizes.items():
        taken = size.size_bytes
        each = f"{taken / size.rows:,.0f}" if taken is not None and size.rows else ""
        out.print(f"{name:<18} {size.rows:>12,} {_megabytes(taken):>12} {each:>12}")
    total = sum(size.size_bytes or 0 for size in sizes.values())
    out.print(f"{'together':<18} {'':>12} {_megabytes(total or None):>12}")


@db_app.command("prune")
def prune(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be forgotten, and forget nothing.")
    ] = False,
) -> None:
    """Forget what is older than the plan's `retention`; summaries and alerts stay."""
    command = chosen(context)
    plan = command.plan_file().plan
    if plan.retention == RetentionPlan():
        console().print(
            "The plan keeps everything: set `retention: {texts: 30d, scores: 90d}` in it to forget."
        )
        return
    with command.store() as store, progress_bar() as bar:
        task = bar.add_task("forgetting", total=None)
        forgotten = forget_old(
            store,
            plan,
            now(),
            rehearse=dry_run,
            on_hour=lambda hour: bar.update(task, description=f"{hour:%d %b %Y %H:%M}"),
        )
    console().print(forgotten_line(forgotten, dry_run), markup=False)
    if not dry_run and store.database.url.drivername == "sqlite":
        console().print("The file stays as large as it is until `VACUUM`; its room is used again.")


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


def _megabytes(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / 1e6:,.1f} MB"


def _for_runs(settings: Settings) -> dict[str, str]:
    """What the runs need to know of the settings that this command was given."""
    store = SecretStr(settings.store)
    return {
        "TAILWATCH_PLAN": str(settings.plan.absolute()),
        "TAILWATCH_HOME": str(settings.home.absolute()),
        "TAILWATCH_STORE_URL": store.get_secret_value(),
    }

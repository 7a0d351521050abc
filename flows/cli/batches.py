"""`tailwatch batches`: the backfills whose questions went to the provider in batches."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from flows.batch_notes import job_json, job_lines, job_row, progress_lines
from flows.batch_wiring import Setting, collect_batches, open_batch_work
from flows.batches import Progress, cancel, job_called
from flows.cli.context import CommandContext, chosen, console, now, say_json
from flows.terminal import plain

EXIT_TROUBLE = 1

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
JobId = Annotated[str, typer.Argument(help="The backfill's id, or how it begins.")]

app = typer.Typer(
    help="Backfills in batches: how far they are, what they saved; collect or cancel them.",
    no_args_is_help=True,
)


@app.command("list")
def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The backfills in batches, newest first."""
    command = chosen(context)
    source = command.plan_file().plan.source.name
    with command.store() as store:
        jobs = [(job, store.batches(job.job_id)) for job in store.batch_jobs(source, limit=limit)]
    if as_json:
        say_json([job_json(*each) for each in jobs])
        return
    if not jobs:
        console().print("No backfill went in batches. Start one: tailwatch backfill --batch")
        return
    table = Table(title="Backfills in batches", title_justify="left", header_style="bold")
    for name in ("id", "hours (UTC)", "state"):
        table.add_column(name)
    for name in ("questions", "answered", "failed", "USD", "USD saved"):
        table.add_column(name, justify="right")
    for each in jobs:
        table.add_row(*map(plain, job_row(*each)))
    console().print(table)


@app.command()
def show(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """One backfill with its batches."""
    command = chosen(context)
    source = command.plan_file().plan.source.name
    with command.store() as store:
        job = job_called(store, source, job_id)
        batches = store.batches(job.job_id)
    if as_json:
        say_json(job_json(job, batches))
        return
    for line in job_lines(job, batches, now()):
        console().print(plain(line, 1000))


@app.command()
def collect(context: typer.Context, as_json: AsJson = False) -> None:
    """Look after all of them now: record what is answered, submit what is owed."""
    command = chosen(context)
    progress = asyncio.run(collect_batches(setting_of(command)))
    if not progress and not as_json:
        console().print("No backfill waits for a batch.")
    _say(command, progress, as_json)


@app.command("cancel")
def cancel_job(context: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel one: what was answered is paid for and recorded, the rest fails and costs nothing."""
    command = chosen(context)

    async def cancelled() -> Progress:
        async with open_batch_work(setting_of(command)) as work:
            return await cancel(work, job_id)

    _say(command, [asyncio.run(cancelled())], as_json)


def setting_of(command: CommandContext) -> Setting:
    """The plan and the environment of the command."""
    return Setting(plan_file=command.plan_file(), settings=command.settings, clock=now)


def say_progress(command: CommandContext, progress: Progress) -> None:
    """Prints how far a backfill is."""
    for line in progress_lines(progress, command.command):
        console().print(plain(line, 1000))


def _say(command: CommandContext, progress: list[Progress], as_json: bool) -> None:
    if as_json:
        say_json([{**job_json(p.job, p.batches), "trouble": p.trouble} for p in progress])
    else:
        for each in progress:
            say_progress(command, each)
    if any(each.trouble is not None for each in progress):
        raise typer.Exit(EXIT_TROUBLE)

"""`tailwatch jobs`: the backfills, how far each is and what went wrong."""

from typing import Annotated

import typer
from rich.table import Table

from flows.cli.context import chosen, console, say_json
from flows.job_notes import job_json, job_lines, job_row
from flows.terminal import plain
from storage.claim_records import BackfillJob
from tailwatch.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("jobs")(jobs)


def jobs(
    context: typer.Context,
    job_id: Annotated[
        str | None, typer.Argument(help="One backfill, by its id or how it begins.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """The backfills, newest first: hours done, who works on them, what failed and why."""
    command = chosen(context)
    source = command.plan_file().plan.source.name
    with command.store() as store:
        found = store.backfill_jobs(source, limit)
        if job_id is not None:
            found = [_called(found, job_id)]
        known = [(job, store.backfill_progress(job.job_id)) for job in found]
    if as_json:
        said = [job_json(*each) for each in known]
        say_json(said if job_id is None else said[0])
    elif job_id is not None:
        for line in job_lines(*known[0]):
            console().print(plain(line, 1000))
    elif not known:
        console().print("No backfill was made. Start one: tailwatch backfill")
    else:
        table = Table(title="Backfills", title_justify="left", header_style="bold")
        for name in ("id", "hours (UTC)", "what", "state"):
            table.add_column(name)
        for name in ("hours done", "failed", "at work", "traces", "scores", "USD"):
            table.add_column(name, justify="right")
        for each in known:
            table.add_row(*map(plain, job_row(*each)))
        console().print(table)


def _called(found: list[BackfillJob], job_id: str) -> BackfillJob:
    fitting = [job for job in found if job.job_id.startswith(job_id)] if job_id else []
    if len(fitting) != 1:
        known = ", ".join(job.job_id for job in found[:5]) or "none"
        raise ConfigurationError(f"{job_id!r} is no backfill; the newest are: {known}")
    return fitting[0]

"""`tailwatch notify test|pending|send`: whether messages arrive, and which still wait."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from alerts import wording
from alerts.notifiers.message import trial_message
from flows.cli.context import chosen, console, now, say_error, say_json
from flows.notifying import SendReport, send_due, try_once
from flows.parts import Destination, Parts
from flows.wiring import open_parts
from storage.records import NoticeRecord
from tailwatch.errors import ConfigurationError
from tailwatch.printable import printable

CLI_PATIENCE = timedelta(seconds=15)
"""How long a command at a terminal goes on trying a destination that does not answer."""

EXIT_NOT_SENT = 1

app = typer.Typer(help="Messages about alerts: try them, look at them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("test")
def send_trials(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One destination. Default: all.")] = None,
) -> None:
    """Send a test message now, quiet hours or not. Exit code 1: it did not arrive everywhere."""
    command = chosen(context)

    async def work() -> list[tuple[str, Exception | None, str]]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            trials = [
                (each, trial_message(parts.source.name, each.name, now()))
                for each in _named(parts, name)
            ]
            return [(each.name, *await try_once(each, trial)) for each, trial in trials]

    results = asyncio.run(work())
    for destination, failure, said in results:
        outcome = f"arrived: {said}" if failure is None else f"DID NOT ARRIVE: {failure}"
        console().print(f"{printable(destination, 60)}: {outcome}", markup=False)
    if any(failure is not None for _, failure, _ in results):
        raise typer.Exit(EXIT_NOT_SENT)


@app.command("pending")
def pending(context: typer.Context, as_json: AsJson = False) -> None:
    """The messages that are not sent yet or were given up, and why."""
    command = chosen(context)
    plan = command.plan_file().plan
    with command.store() as store:
        records = store.notices(plan.source.name, ["pending", "given_up"])
    if as_json:
        say_json([_record(record) for record in records])
        return
    known = {entry.destination for entry in plan.notify}
    out = console()
    if not records:
        out.print("Every message is sent.")
    for record in records:
        for line in _lines(record, known):
            out.print(line, markup=False)


@app.command("send")
def send(
    context: typer.Context,
    again: Annotated[bool, typer.Option(help="Those that were given up, too.")] = False,
) -> None:
    """Send what is due now. The hourly check does it too; quiet hours and pauses are kept."""
    command = chosen(context)

    async def work() -> list[SendReport]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            source = parts.source.name
            if again:
                parts.store.revive_notices(source, now())
            return await send_due(
                parts.store, source, parts.destinations, clock=now, patience=CLI_PATIENCE
            )

    reports = asyncio.run(work())
    say_reports(reports)
    if not sum(report.sent for report in reports):
        console().print("Nothing was sent.")
    if any(report.error for report in reports):
        raise typer.Exit(EXIT_NOT_SENT)


def say_reports(reports: Sequence[SendReport]) -> None:
    """What was sent; what was not, to standard error."""
    for report in reports:
        name = printable(report.destination, 60)
        if report.sent:
            console().print(f"{name}: {report.sent} messages sent.", markup=False)
        if report.error is not None:
            kept = "it was given up" if report.given_up else "it stays in the outbox"
            say_error(f"{name}: {report.error}; {kept}, see `tailwatch notify pending`")


def _named(parts: Parts, name: str | None) -> list[Destination]:
    found = [each for each in parts.destinations if name in (None, each.name)]
    if not found:
        known = ", ".join(each.name for each in parts.destinations)
        raise ConfigurationError(
            f"the plan has no destination {name!r} under `notify`; known: {known}"
            if known
            else "the plan has no destinations; add one under `notify`, see docs/notifications.md"
        )
    return found


def _lines(record: NoticeRecord, known: set[str]) -> list[str]:
    destination = record.notice.destination
    name, title = printable(destination, 60), printable(record.notice.message.title, 160)
    if record.state == "given_up":
        fate = f"given up after {record.attempts} attempts"
    else:
        due = f"due {wording.moment(record.next_attempt_at, now())}"
        fate = f"{record.attempts} attempts, {due}" if record.attempts else due
    lines = [f"{name}: {title}", f"    {fate}"]
    if destination not in known:
        lines.append("    the plan has no such destination any more")
    if record.last_error:
        lines.append(f"    {printable(record.last_error)}")
    return lines


def _record(record: NoticeRecord) -> dict[str, object]:
    message = record.notice.message
    return {
        "destination": record.notice.destination,
        "state": record.state,
        "change": message.change,
        "alert_id": message.alert_id,
        "at": message.at,
        "title": message.title,
        "attempts": record.attempts,
        "next_attempt_at": record.next_attempt_at,
        "last_error": record.last_error,
    }

"""`tailwatch alerts ack|resolve|mute|false-alarm|history`: what people do with an alert."""

import asyncio
import getpass
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import typer

from alerts import wording
from alerts.lifecycle import Advance, acknowledge, dismiss, mute, resolve
from alerts.render import history_lines
from flows.acting import act_on, found_alert
from flows.cli.context import chosen, console, now, parse_moment, parse_why, say_json
from flows.cli.notify import CLI_PATIENCE, say_reports
from flows.notifying import SendReport, send_due
from flows.wiring import open_parts
from tailwatch.alert import Alert, AlertEvent
from tailwatch.errors import ConfigurationError
from tailwatch.plan import duration

AlertId = Annotated[str, typer.Argument(help="Its id, or the beginning of it.")]
Why = Annotated[
    str, typer.Option(help="The reason; it is kept with the change.", callback=parse_why)
]
Who = Annotated[str | None, typer.Option(help="Who says so. Default: the user you are.")]
Act = Callable[[Alert, str, datetime], Advance]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("ack")(ack)
    app.command("resolve")(resolve_alert)
    app.command("mute")(mute_alert)
    app.command("false-alarm")(false_alarm)
    app.command("history")(history)


def ack(
    context: typer.Context, alert_id: AlertId, why: Why = "looking into it", who: Who = None
) -> None:
    """Say that you have seen it. It stays open, and is said to be resolved when it is."""
    _act(context, alert_id, who, lambda a, who, at: acknowledge(a, who=who, why=why, now=at))


def resolve_alert(context: typer.Context, alert_id: AlertId, why: Why, who: Who = None) -> None:
    """Say that it is over. Only what begins afterwards opens it again."""
    _act(context, alert_id, who, lambda a, who, at: resolve(a, who=who, why=why, now=at))


def false_alarm(context: typer.Context, alert_id: AlertId, why: Why, who: Who = None) -> None:
    """Say that nothing was wrong. Only what begins afterwards opens a new alert."""
    _act(context, alert_id, who, lambda a, who, at: dismiss(a, who=who, why=why, now=at))


def mute_alert(
    context: typer.Context,
    alert_id: AlertId,
    why: Why,
    until: Annotated[str | None, typer.Option(help="When the mute ends.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="How long, such as 8h or 2d.")] = None,
    who: Who = None,
) -> None:
    """Hear nothing more about it for a time. Then it is open again, or resolved if it is over."""
    if (until is None) == (for_ is None):
        raise ConfigurationError("give either --until or --for, as in --for 8h")
    end = None if until is None else parse_moment(until, "--until")
    length = None if for_ is None else _length(for_)

    def act(alert: Alert, who: str, at: datetime) -> Advance:
        return mute(alert, until=end or at + (length or timedelta(0)), who=who, why=why, now=at)

    _act(context, alert_id, who, act)


def history(
    context: typer.Context,
    alert_id: AlertId,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Every change of an alert: when, by whom and why."""
    command = chosen(context)

    async def read() -> list[AlertEvent]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            alert = found_alert(parts, alert_id)
            return parts.store.alert_events(alert.alert_id, parts.source.name)

    events = asyncio.run(read())
    if as_json:
        say_json([event_record(event) for event in events])
    else:
        for line in history_lines(events, now()):
            console().print(line, markup=False)


def event_record(event: AlertEvent) -> dict[str, object]:
    """A change of an alert for a script."""
    return {
        "at": event.at,
        "from": event.before,
        "to": event.after,
        "who": event.who,
        "why": event.why,
    }


def _act(context: typer.Context, alert_id: str, who: str | None, act: Act) -> None:
    command, at = chosen(context), now()
    name = (who or "").strip() or getpass.getuser()

    async def work() -> tuple[Advance, list[SendReport]]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            step = act_on(parts, alert_id, lambda alert: act(alert, name, at), at)
            reports = await send_due(
                parts.store, parts.source.name, parts.destinations, clock=now, patience=CLI_PATIENCE
            )
            return step, reports

    step, reports = asyncio.run(work())
    if step.alert is not None:
        state = wording.state(step.alert.state)
        said = f"is {state} now" if step.events else f"was {state} already; nothing changed"
        console().print(f"Alert {step.alert.alert_id} {said}.", markup=False)
    say_reports(reports)


def _length(text: str) -> timedelta:
    try:
        length = duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--for: {error}") from None
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise ConfigurationError(f"--for is {text!r}; it must be longer than nothing, as in 8h")
    return length

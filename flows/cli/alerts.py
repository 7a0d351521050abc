"""`tailwatch alerts`: what is wrong, since when, how sure, and which traces show it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from alerts.render import in_full, one_line
from flows.acting import found_alert
from flows.canary_book import held_in
from flows.canary_standing import judge_notes
from flows.checking import CheckReport, check_alerts, owed_checks
from flows.cli.alert_actions import event_record, register
from flows.cli.context import chosen, console, now, parse_moment, progress_bar, quantity, say_json
from flows.cli.notify import CLI_PATIENCE, say_reports
from flows.cli.simulate import simulate
from flows.evidence import evidence_of
from flows.notifying import SendReport, send_due
from flows.parts import Parts
from flows.terminal import evidence_lines
from flows.trust import alert_trust
from flows.wiring import open_parts
from storage.records import ScoredTrace
from tailwatch.alert import Alert, AlertState
from tailwatch.window import Window

EXIT_ALERT_OPEN = 3
"""`tailwatch alerts check`: an alert is open that nobody has acknowledged or muted."""

app = typer.Typer(
    help="Alerts: check for them, look at them, say what you did about them.", no_args_is_help=True
)
register(app)
app.command("simulate")(simulate)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("check")
def check(
    context: typer.Context,
    until: Annotated[
        str | None, typer.Option(help="Check up to this time. Default: the last settled hour.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Apply the plan's rules to every hour not checked yet. Exit code 3: an alert is open."""
    command = chosen(context)

    async def work() -> tuple[CheckReport, list[Alert], Mapping[str, str], list[SendReport]]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            settled = Window.last_settled(now(), parts.plan.timing.settle).end
            report = check_with_progress(
                parts, settled if until is None else parse_moment(until, "--until")
            )
            reports = await send_due(
                parts.store, parts.source.name, parts.destinations, clock=now, patience=CLI_PATIENCE
            )
            return report, open_alerts(parts), held_in(parts.store, parts.source.name), reports

    report, alerts, held, reports = asyncio.run(work())
    if as_json:
        say_json(
            {
                "checked": len(report.checked),
                "monitors": report.monitors,
                "open": [alert_record(a, held) for a in alerts],
                "proposals": list(report.proposals),
            }
        )
    else:
        out = console()
        checked, opened = quantity(len(report.checked), "hour"), quantity(len(alerts), "alert")
        out.print(f"{checked} checked, {opened} open.")
        if report.monitors:
            out.print(f"{report.monitors:,} monitors share the false-alarm budget.")
        for alert in alerts:
            out.print(one_line(alert, now(), held.get(alert.alert_id)), markup=False)
        for proposal in report.proposals:
            out.print(proposal, markup=False)
        if alerts:
            out.print(f"Next: {command.command} alerts show {alerts[0].alert_id}", markup=False)
        say_reports(reports)
    if alerts:
        raise typer.Exit(EXIT_ALERT_OPEN)


@app.command("list")
def list_alerts(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    as_json: AsJson = False,
) -> None:
    """The alerts that are open, acknowledged or muted."""
    command = chosen(context)
    source = command.plan_file().plan.source.name
    states = {state for state in AlertState if everything or not state.over}
    with command.store() as store:
        alerts, held = store.alerts(states, limit=None, source=source), held_in(store, source)
    if as_json:
        say_json([alert_record(alert, held) for alert in alerts])
        return
    out = console()
    if not alerts:
        out.print("No alert" + ("." if everything else " is open."))
    for alert in alerts:
        out.print(one_line(alert, now(), held.get(alert.alert_id)), markup=False)


@app.command("show")
def show(
    context: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    traces: Annotated[int, typer.Option(min=0, max=100, help="How many of the worst traces.")] = 5,
    as_json: AsJson = False,
) -> None:
    """One alert: what happened, how sure it is, its history, and the worst traces."""
    command = chosen(context)

    async def read() -> None:
        async with open_parts(command.plan_file(), command.settings) as parts:
            source = parts.source.name
            alert = found_alert(parts, alert_id)
            events = parts.store.alert_events(alert.alert_id, source)
            evidence = evidence_of(parts, alert, traces)
            held = held_in(parts.store, source)
            trusted = alert_trust(parts, alert)
            if as_json:
                say_json(
                    {
                        **alert_record(alert, held),
                        "validation": trusted,
                        "history": [event_record(event) for event in events],
                        "worst": [trace_record(trace) for trace in evidence.worst],
                        "good_before": [trace_record(trace) for trace in evidence.good],
                        "deploys": [str(mark) for mark in evidence.marks],
                    }
                )
            else:
                out = console()
                notes = [*judge_notes(parts, alert), *trusted]
                out.print(in_full(alert, events, now(), notes), markup=False)
                for line in evidence_lines(evidence):
                    out.print(line, markup=False)

    asyncio.run(read())


def open_alerts(parts: Parts) -> list[Alert]:
    """The alerts that nobody has acknowledged or muted, newest first."""
    return parts.store.alerts({AlertState.OPEN}, limit=None, source=parts.source.name)


def check_with_progress(parts: Parts, until: datetime) -> CheckReport:
    """Checks every hour that is owed a check, with a bar."""
    moments = owed_checks(parts.store, parts.source.name, until)
    with progress_bar() as bar:
        task = bar.add_task("checking", total=len(moments))
        return check_alerts(parts, moments, on_check=lambda _: bar.advance(task))


def trace_record(trace: ScoredTrace) -> dict[str, object]:
    """A trace of an alert for a script."""
    return {"trace_id": trace.trace_id, "value": trace.value, "at": trace.start_time}


def alert_record(alert: Alert, held: Mapping[str, str]) -> dict[str, object]:
    """An alert for a script; `held` has the reasons of those that are held."""
    return {
        "alert_id": alert.alert_id,
        "state": alert.state,
        "held": held.get(alert.alert_id),
        "rule": alert.rule,
        "evaluator": alert.series.evaluator,
        "version": alert.series.version,
        "judge": alert.series.judge,
        "segment_field": alert.segment.field,
        "segment_value": alert.segment.value,
        "opened_at": alert.opened_at,
        "onset": alert.onset,
        "resolved_at": alert.resolved_at,
        "sentence": alert.sentence,
        "numbers": dict(alert.numbers),
        "monitors": [
            {
                "rule": monitor.rule,
                "evaluator": monitor.series.evaluator,
                "segment_field": monitor.segment.field,
                "segment_value": monitor.segment.value,
                "onset": monitor.onset,
                "breaching": monitor.breaching,
            }
            for monitor in alert.monitors
        ],
    }

"""`tailwatch baseline`: what each series is compared with, since when, and by whose decision."""

import asyncio
import getpass
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from alerts import wording
from alerts.bridge import bridge_line, bridge_of
from flows.baselines import Baselines, promote, read_baselines, reset
from flows.cli.context import (
    CommandContext,
    chosen,
    console,
    now,
    parse_moment,
    parse_why,
    say_json,
)
from flows.limit_family import limits_now
from flows.overview import named_series
from flows.parts import Parts
from flows.proposals import proposal
from flows.tail_monitors import Monitor, monitors_of
from flows.tail_watch import tail_rules, watched_series
from flows.wiring import open_parts
from storage.records import BaselineRecord
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.window import floor_hour

app = typer.Typer(help="Baselines: what series are compared with.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Why = Annotated[
    str,
    typer.Option("--why", help="The reason, kept with the baseline.", callback=parse_why),
]
Named = Annotated[list[str] | None, typer.Argument(help="Evaluators or measures. Default: all.")]


@app.command("show")
def show(
    context: typer.Context,
    series: Named = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Every monitor with its lines and shares.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="The superseded baselines too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The baselines in force, how far the others are, and when a new one is worth a thought."""
    _with_parts(
        chosen(context),
        lambda parts: _show(parts, series or (), lines=lines, history=history, as_json=as_json),
    )


@app.command("promote")
def promote_baseline(
    context: typer.Context,
    series: Annotated[list[str], typer.Argument(help="Evaluators or measures.")],
    why: Why,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to learn from.")] = 7,
    until: Annotated[
        str | None, typer.Option(help="The end of what is learned from. Default: the newest hour.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Default: the user of this shell.")] = None,
) -> None:
    """Learn the baseline again from the last days: what is normal now is the new normal."""

    def work(parts: Parts) -> None:
        end = floor_hour(parse_moment(until, "--until")) if until else _newest(parts)
        for each in _watched(parts, series):
            done = promote(parts, each, end, days, who=_who(who), why=why, now=now())
            console().print(_sentence(done.record), markup=False)

    _with_parts(chosen(context), work)


@app.command("reset")
def reset_baseline(
    context: typer.Context,
    series: Annotated[list[str], typer.Argument(help="Evaluators or measures.")],
    why: Why,
    since: Annotated[
        str | None, typer.Option(help="Where learning begins. Default: the newest hour.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Default: the user of this shell.")] = None,
) -> None:
    """Forget the baseline and learn a new one. Until that is complete nothing is found."""

    def work(parts: Parts) -> None:
        begin = floor_hour(parse_moment(since, "--since")) if since else _newest(parts)
        for each in _watched(parts, series):
            done = reset(parts, each, begin, who=_who(who), why=why, now=now())
            console().print(_sentence(done), markup=False)

    _with_parts(chosen(context), work)


def _with_parts(command: CommandContext, work: Callable[[Parts], None]) -> None:
    async def run() -> None:
        async with open_parts(command.plan_file(), command.settings) as parts:
            work(parts)

    asyncio.run(run())


def _show(parts: Parts, names: Sequence[str], *, lines: bool, history: bool, as_json: bool) -> None:
    wanted = set(named_series(parts, names))
    found = read_baselines(parts)
    monitors = monitors_of(parts, found.pinned)
    records = parts.store.baselines(parts.source.name, everything=history)
    sharing = len(monitors) + limits_now(parts)
    proposals = _proposals(parts, found, sharing)
    if as_json:
        say_json(
            {
                "monitors": sharing,
                "baselines": [
                    _record(r) | {"proposal": proposals.get(r.series)}
                    for r in records
                    if r.series in wanted
                ],
            }
        )
        return
    out = console()
    out.print(_budget_line(parts, found, sharing), markup=False)
    for record in records:
        if record.series not in wanted:
            continue
        out.print(f"\n{record.series}: {_sentence(record)}", markup=False)
        if record.status == "learning" and record.series in found.learning:
            out.print(f"  {found.learning[record.series].progress(_newest(parts))}", markup=False)
            for built in parts.store.bridges(parts.source.name, record.series)[:1]:
                said = f"bridge from {built.old}: {bridge_line(bridge_of(built.comparison))}"
                out.print(f"  {wording.text(said)}", markup=False)
        if record.status == "pinned":
            mine = [m for m in monitors if m.series == record.series]
            out.print(f"  {_family_line(mine)}", markup=False)
            for line in _lines(mine) if lines else ():
                out.print(f"    {line}", markup=False)
        if record.status == "pinned" and record.series in proposals:
            out.print(f"  promote? {proposals[record.series]}", markup=False)
    without = [s for s in watched_series(parts) if s in wanted and s not in _in_force(records)]
    for each in without:
        out.print(f"\n{each}: no scores yet", markup=False)


def _in_force(records: Sequence[BaselineRecord]) -> set[Series]:
    return {record.series for record in records if record.status != "superseded"}


def _proposals(parts: Parts, found: Baselines, monitors: int) -> dict[Series, str]:
    alerts = parts.store.alerts(limit=None, source=parts.source.name)
    if not found.pinned:
        return {}
    end = _newest(parts)
    reasons = {
        series: proposal(parts, pinned, alerts, end, monitors)
        for series, pinned in found.pinned.items()
    }
    return {series: reason for series, reason in reasons.items() if reason is not None}


def _budget_line(parts: Parts, found: Baselines, monitors: int) -> str:
    rules = tail_rules(parts)
    if not rules:
        return "No tail_evidence rule is in the plan: nothing is compared with a baseline."
    if not found.pinned:
        return "No baseline is pinned yet, so nothing is compared with one."
    weeks = parts.plan.alerts.false_alarm_weeks
    budgets = {str(rule.budget(monitors, weeks)) for _, rule in rules}
    return f"{monitors:,} monitors share the budget: {'; '.join(sorted(budgets))}."


def _sentence(record: BaselineRecord) -> str:
    who, why = wording.text(record.who), wording.text(record.why)
    decided = f"{_when(record.decided_at)} by {who} ({why})"
    if record.end is None:
        return f"learning since {_when(record.start)}; begun {decided}"
    return f"{record.status} {decided}; learned from {_when(record.start)} to {_when(record.end)}"


def _when(time: datetime) -> str:
    return wording.moment(time, now())


def _family_line(monitors: Sequence[Monitor]) -> str:
    segments = [m for m in monitors if m.segment.field]
    new = [wording.name(m.segment) for m in segments if not m.known]
    joined = f", new since: {', '.join(new)}" if new else ""
    outputs = int(monitors[0].lines.baseline_n.max()) if monitors else 0
    return (
        f"{len(monitors)} monitors: all traffic ({outputs:,} outputs) and {len(segments)} "
        f"segments{joined}"
    )


def _lines(monitors: Sequence[Monitor]) -> list[str]:
    found = []
    for monitor in monitors:
        for cell, row in zip(monitor.cells, monitor.lines.lines, strict=True):
            shares = []
            for level, line in enumerate(row):
                if line is not None:
                    usual = monitor.lines.usual[monitor.cells.index(cell), level]
                    most = monitor.lines.tolerated[monitor.cells.index(cell), level]
                    score = wording.amount(monitor.series, line.score)
                    shares.append(f"{score}: {wording.percent(usual)} (to {wording.percent(most)})")
            name = wording.name(monitor.segment)
            part = "" if cell == monitor.segment else f", {wording.name(cell)}"
            found.append(f"{name}{part}: {'; '.join(shares)}")
    return found


def _record(record: BaselineRecord) -> dict[str, Any]:
    return {
        "evaluator": record.series.evaluator,
        "version": record.series.version,
        "judge": record.series.judge,
        "status": record.status,
        "start": record.start,
        "end": record.end,
        "decided_at": record.decided_at,
        "who": record.who,
        "why": record.why,
        "lines": record.document,
    }


def _watched(parts: Parts, names: Sequence[str]) -> list[Series]:
    watched = watched_series(parts)
    return [series for series in named_series(parts, names) if series in watched] or _none(names)


def _none(names: Sequence[str]) -> list[Series]:
    raise ConfigurationError(
        f"no tail_evidence rule of the plan watches {', '.join(names)}; see "
        "`tailwatch baseline show`"
    )


def _newest(parts: Parts) -> datetime:
    last = parts.store.last_window(parts.source.name)
    if last is None:
        raise ConfigurationError("no hour is evaluated yet; run `tailwatch run` first")
    return last.end


def _who(given: str | None) -> str:
    return (given or "").strip() or getpass.getuser()

"""`tailwatch run`: evaluation by hand, without a server."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from flows.backfill_plan import Estimate, estimate
from flows.batch_wiring import collect_batches
from flows.cli.batches import say_progress, setting_of
from flows.cli.context import (
    CommandContext,
    chosen,
    console,
    now,
    parse_moment,
    progress_bar,
    say_error,
    say_json,
)
from flows.evaluate_window import Redo, WindowReport, redo_retryable
from flows.narrowing import WHOLE_HOURS, Narrowing
from flows.notes import estimate_note
from flows.parts import Parts
from flows.runs import RunReport, due_windows, run_windows
from flows.telemetry import send_telemetry, telemetry_line
from flows.terminal import coverage_table, run_lines
from flows.trust import trust_lines
from flows.wiring import open_parts
from storage.records import RunKind
from tailwatch.errors import ConfigurationError, TailwatchError
from tailwatch.window import Window, floor_hour

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would do and cost, and do nothing.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run")(run)


def run(
    context: typer.Context,
    hour: Annotated[
        str | None,
        typer.Option(help="The hour to evaluate, e.g. 2026-11-14T23. Default: all that are due."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate one hour, or all hours that are due. Needs no server; twice changes nothing."""
    command = chosen(context)
    chosen_hour = None if hour is None else Window.hour_of(parse_moment(hour, "--hour"))
    if chosen_hour is not None:
        refuse_unfinished(chosen_hour, "--hour")

    async def work() -> tuple[RunReport, list[str]] | None:
        async with open_parts(command.plan_file(), command.settings) as parts:
            windows = (
                due_windows(parts.store, parts.source.name, parts.plan.timing, now())
                if chosen_hour is None
                else [chosen_hour]
            )
            if dry_run:
                await say_estimate(parts, windows, redo_retryable, as_json)
                return None
            report = await run_with_progress(parts, windows, kind="hourly")
            return report, trusted(parts, report.windows)

    done = asyncio.run(work())
    if done is None:
        return
    _show(command, *done, as_json=as_json)
    _tell_collector(command, as_json)
    if chosen_hour is None:
        _collect(command, as_json)


def _collect(command: CommandContext, as_json: bool) -> None:
    """Goes on with the backfills in batches. The hours are evaluated: a fault is said, no more."""
    try:
        advanced = asyncio.run(collect_batches(setting_of(command)))
    except TailwatchError as error:
        say_error(f"the backfills in batches were not looked at: {error}")
        return
    for progress in advanced if not as_json else ():
        say_progress(command, progress)


def _tell_collector(command: CommandContext, as_json: bool) -> None:
    """Tells the collector what it is owed, where the plan has one; a fault is said, no more."""
    plan = command.plan_file().plan
    with command.store() as store:
        report = send_telemetry(store, plan, now)
    if report is not None and report.why is not None:
        say_error(telemetry_line(report))
    elif report is not None and not as_json:
        console().print(telemetry_line(report), markup=False)


def refuse_unfinished(window: Window, option: str) -> None:
    """An hour to come, once recorded as evaluated, would be the newest one that everyone sees."""
    over = floor_hour(now())
    if window.end > over:
        raise ConfigurationError(
            f"{option}: {window} is not over yet; the last full hour ended at "
            f"{over:%Y-%m-%dT%H:%MZ}"
        )


async def run_with_progress(
    parts: Parts,
    windows: Sequence[Window],
    *,
    kind: RunKind,
    redo: Redo = redo_retryable,
    ask_again: bool = False,
    detail: str | None = None,
) -> RunReport:
    """A run with a bar over its hours and, within an hour, the share of its chunks."""
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(windows))

        def heard(report: WindowReport) -> None:
            bar.update(task, advance=1, description=f"evaluated {report.window.start:%d %b %H:%M}")

        return await run_windows(
            parts,
            windows,
            kind=kind,
            run_id=uuid.uuid4().hex,
            clock=now,
            detail=detail,
            redo=redo,
            ask_again=ask_again,
            on_window=heard,
            on_progress=lambda window, done, total: describe_chunks(bar, task, window, done, total),
        )


def describe_chunks(bar: Progress, task: TaskID, window: Window, done: int, total: int) -> None:
    """Says beside the bar how many chunks of an hour are done, where there are several."""
    if total > 1:
        bar.update(
            task,
            description=f"evaluating {window.start:%d %b %H:%M} ({done} of {total} chunks)",
        )


async def say_estimate(
    parts: Parts,
    windows: Sequence[Window],
    redo: Redo,
    as_json: bool,
    narrowing: Narrowing = WHOLE_HOURS,
) -> None:
    """Lists the hours and says what is outstanding in them and what it may cost."""
    counted = await counted_with_progress(parts, windows, redo, narrowing)
    if as_json:
        say_json(
            {
                "windows": counted.windows,
                "listed": counted.listed,
                "to_fetch": counted.to_fetch,
                "evaluations": counted.evaluations,
                "questions": dict(counted.questions),
                "one_call_each_usd": counted.one_call_each_usd,
                "expected_usd": counted.expected_usd,
                "cap_usd": counted.cap_usd,
                "expected_seconds": counted.expected_s,
            }
        )
    else:
        console().print(estimate_note(counted), markup=False)


async def counted_with_progress(
    parts: Parts, windows: Sequence[Window], redo: Redo, narrowing: Narrowing = WHOLE_HOURS
) -> Estimate:
    """The estimate of a run over the hours, with a bar while they are listed."""
    with progress_bar() as bar:
        task = bar.add_task("listing", total=len(windows))
        return await estimate(
            parts,
            windows,
            redo,
            now(),
            on_window=lambda _: bar.advance(task),
            narrowing=narrowing,
        )


def trusted(parts: Parts, windows: Sequence[WindowReport]) -> list[str]:
    """How far to believe the judges that scored in a run."""
    return trust_lines(parts, {c.series for w in windows for c in w.coverage if c.scored})


def _show(
    command: CommandContext, report: RunReport, trusted: Sequence[str], *, as_json: bool
) -> None:
    if as_json:
        say_json({"run_id": report.run_id, "cost_usd": report.cost_usd, **report.counts})
        return
    say_run(run_lines(report, command.command), report.windows, trusted)


def say_run(lines: Sequence[str], windows: Sequence[WindowReport], trusted: Sequence[str]) -> None:
    """Prints what a run did; the coverage too, where it changed a single hour."""
    out = console()
    for line in lines:
        out.print(line, markup=False)
    changed = [window for window in windows if window.changed]
    if len(changed) == 1:
        out.print(coverage_table(changed[0].coverage))
    for line in trusted:
        out.print(line, markup=False)

"""`tailwatch run` and `tailwatch backfill`: evaluation by hand, without a server."""

import asyncio
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from flows.backfill_plan import Only, estimate, redo_for, with_evaluators
from flows.batch_notes import job_json
from flows.batch_wiring import backfill_in_batches, chooses_batches, collect_batches
from flows.cli.batches import say_progress, setting_of
from flows.cli.context import (
    CommandContext,
    chosen,
    console,
    now,
    parse_moment,
    parse_range,
    progress_bar,
    say_error,
    say_json,
)
from flows.evaluate_window import Redo, WindowReport, redo_retryable
from flows.notes import estimate_note
from flows.parts import Parts
from flows.runs import RunReport, due_windows, run_windows
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
    """Adds the commands."""
    app.command("run")(run)
    app.command("backfill")(backfill)


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
        _refuse_unfinished(chosen_hour, "--hour")

    async def work() -> tuple[RunReport, list[str]] | None:
        async with open_parts(command.plan_file(), command.settings) as parts:
            windows = (
                due_windows(parts.store, parts.source.name, parts.plan.timing, now())
                if chosen_hour is None
                else [chosen_hour]
            )
            if dry_run:
                await _dry_run(parts, windows, redo_retryable, as_json)
                return None
            report = await run_with_progress(parts, windows, kind="hourly")
            return report, _trusted(parts, report)

    done = asyncio.run(work())
    if done is None:
        return
    _show(command, *done, as_json=as_json)
    if chosen_hour is None:
        _collect(command, as_json)


def backfill(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="First hour, e.g. 2026-11-01.")],
    end: Annotated[str, typer.Option("--to", help="End of the last hour, e.g. 2026-11-15.")],
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Only this evaluator; may be repeated.")
    ] = None,
    only: Annotated[
        Only,
        typer.Option(
            help="Which evaluations to make. `everything` asks judges again, and pays again, also "
            "for questions whose verdict is known."
        ),
    ] = Only.MISSING,
    dry_run: DryRun = False,
    batch: Annotated[
        bool | None,
        typer.Option(
            "--batch/--no-batch",
            help="Put the judge's questions into batches: at a part of the price, answered within "
            "a day. Default: where there are more of them than judge.batch_over.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate past hours: after a rubric, a model or an evaluator changed, or an outage."""
    command = chosen(context)
    wanted = parse_range(start, end)
    _refuse_unfinished(wanted, "--to")
    windows = list(wanted.hours())
    if not dry_run and _in_batches(command, wanted, evaluator or (), only, batch):
        _backfill_in_batches(command, wanted, evaluator or (), only, as_json)
        return

    async def work() -> tuple[RunReport, list[str]] | None:
        async with open_parts(command.plan_file(), command.settings) as whole:
            parts = with_evaluators(whole, evaluator or ())
            if dry_run:
                await _dry_run(parts, windows, redo_for(only), as_json)
                return None
            report = await run_with_progress(
                parts,
                windows,
                kind="backfill",
                redo=redo_for(only),
                ask_again=only is Only.EVERYTHING,
                detail=f"{start} to {end}, only {only.value}",
            )
            return report, _trusted(parts, report)

    done = asyncio.run(work())
    if done is not None:
        _show(command, *done, as_json=as_json)


def _collect(command: CommandContext, as_json: bool) -> None:
    """Goes on with the backfills in batches. The hours are evaluated: a fault is said, no more."""
    try:
        advanced = asyncio.run(collect_batches(setting_of(command)))
    except TailwatchError as error:
        say_error(f"the backfills in batches were not looked at: {error}")
        return
    for progress in advanced if not as_json else ():
        say_progress(command, progress)


def _in_batches(
    command: CommandContext,
    window: Window,
    names: Collection[str],
    only: Only,
    batch: bool | None,
) -> bool:
    if batch is not None:
        return batch
    return asyncio.run(chooses_batches(setting_of(command), window, names, only))


def _backfill_in_batches(
    command: CommandContext, window: Window, names: Collection[str], only: Only, as_json: bool
) -> None:
    hours = len(list(window.hours()))
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=hours)
        setting = replace(setting_of(command), on_window=lambda _: bar.advance(task))
        progress = asyncio.run(backfill_in_batches(setting, window, names, only))
    if as_json:
        say_json(job_json(progress.job, progress.batches))
    else:
        say_progress(command, progress)


def _refuse_unfinished(window: Window, option: str) -> None:
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
            on_progress=lambda window, done, total: _describe(bar, task, window, done, total),
        )


def _describe(bar: Progress, task: TaskID, window: Window, done: int, total: int) -> None:
    if total > 1:
        bar.update(
            task,
            description=f"evaluating {window.start:%d %b %H:%M} ({done} of {total} chunks)",
        )


async def _dry_run(parts: Parts, windows: Sequence[Window], redo: Redo, as_json: bool) -> None:
    with progress_bar() as bar:
        task = bar.add_task("listing", total=len(windows))
        counted = await estimate(parts, windows, redo, now(), on_window=lambda _: bar.advance(task))
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
            }
        )
    else:
        console().print(estimate_note(counted), markup=False)


def _trusted(parts: Parts, report: RunReport) -> list[str]:
    """How far to believe the judges that scored in a run."""
    return trust_lines(parts, {c.series for w in report.windows for c in w.coverage if c.scored})


def _show(
    command: CommandContext, report: RunReport, trusted: Sequence[str], *, as_json: bool
) -> None:
    if as_json:
        say_json({"run_id": report.run_id, "cost_usd": report.cost_usd, **report.counts})
        return
    out = console()
    for line in run_lines(report, command.command):
        out.print(line, markup=False)
    changed = [window for window in report.windows if window.changed]
    if len(changed) == 1:
        out.print(coverage_table(changed[0].coverage))
    for line in trusted:
        out.print(line, markup=False)

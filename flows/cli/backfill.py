"""`tailwatch backfill` and `tailwatch jobs`: past hours, by this process or by many machines."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from flows.backfill_order import BackfillRequest, chosen_parts, with_budget
from flows.backfill_plan import Only, redo_for
from flows.batch_notes import job_json
from flows.batch_wiring import Setting, backfill_in_batches, chooses_batches
from flows.cli.batches import say_progress, setting_of
from flows.cli.context import (
    CommandContext,
    chosen,
    console,
    parse_range,
    progress_bar,
    say_json,
)
from flows.cli.run import (
    AsJson,
    DryRun,
    counted_with_progress,
    describe_chunks,
    refuse_unfinished,
    say_estimate,
    say_run,
    trusted,
)
from flows.driving import BackfillReport, Ears, drive
from flows.engines.crew import Crew, Engine
from flows.evaluate_window import WindowReport
from flows.notes import estimate_note
from flows.sharing import Heard
from flows.terminal import done_lines
from flows.wiring import open_parts
from storage.claim_records import JobProgress
from tailwatch.errors import ConfigurationError, TailwatchError
from tailwatch.plan import JudgePlan
from tailwatch.window import Window


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("backfill")(backfill)


def _only(text: str) -> Only:
    """The choice, written with - or _. Raises ConfigurationError."""
    try:
        return Only(text.replace("-", "_"))
    except ValueError:
        known = ", ".join(each.value.replace("_", "-") for each in Only)
        raise ConfigurationError(f"--only is {text!r}; it must be one of {known}") from None


def backfill(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="First hour, e.g. 2026-11-01.")],
    end: Annotated[str, typer.Option("--to", help="End of the last hour, e.g. 2026-11-15.")],
    evaluator: Annotated[
        list[str] | None, typer.Option(help="Only this evaluator; may be repeated.")
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Which evaluations to make: missing, failed, over-budget, version-changed (what "
            "another version of the evaluator was given), or everything, which asks judges again, "
            "and pays again, also for questions whose verdict is known.",
        ),
    ] = "missing",
    segment: Annotated[
        str | None, typer.Option(help="Only these traces, e.g. feature=search.")
    ] = None,
    max_traces: Annotated[
        int | None, typer.Option(help="Of each hour's sample at most so many, always the same.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="What judges may cost in all, USD, in place of judge.max_cost_usd."),
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, whatever it may cost.")
    ] = False,
    batch: Annotated[
        bool | None,
        typer.Option(
            "--batch/--no-batch",
            help="Put the judge's questions into batches: at a part of the price, answered within "
            "a day. Default: where there are more of them than judge.batch_over.",
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="Who does it: this process, a Dask cluster, workers of a Prefect pool."),
    ] = Engine.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(help="How many workers. Default: all of the Dask cluster, or 2 by Prefect."),
    ] = None,
    dask_address: Annotated[
        str | None, typer.Option(help="The cluster's scheduler, e.g. tcp://scheduler:8786.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate past hours: after a rubric, a model or an evaluator changed, or an outage.

    Stop it with Ctrl-C; the same command goes on. Given in several terminals, or with an engine,
    the hours are shared. `tailwatch jobs` lists them.
    """
    command = chosen(context)
    request = BackfillRequest.of(
        parse_range(start, end),
        evaluators=evaluator or (),
        only=_only(only),
        segment=segment,
        max_traces=max_traces,
        budget_usd=budget,
    )
    crew = Crew(engine=engine, workers=workers, dask_address=dask_address)
    crew.check_store(command.settings.store)
    refuse_unfinished(request.window, "--to")
    order = _Ordered(command, request, crew)
    if dry_run:
        asyncio.run(order.say_plan(as_json))
        return
    in_batches = order.in_batches(batch)
    order.ask(yes, in_batches)
    if in_batches:
        order.do_in_batches(as_json)
    else:
        order.do(as_json)


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A backfill that somebody typed."""

    command: CommandContext
    request: BackfillRequest
    crew: Crew

    @property
    def setting(self) -> Setting:
        setting = setting_of(self.command)
        plan_file = with_budget(setting.plan_file, self.request.budget_usd)
        return replace(setting, plan_file=plan_file)

    async def say_plan(self, as_json: bool) -> None:
        request, setting = self.request, self.setting
        async with open_parts(setting.plan_file, setting.settings) as whole:
            parts = chosen_parts(request, whole)
            windows = list(request.window.hours())
            redo = redo_for(request.only)
            await say_estimate(parts, windows, redo, as_json, request.narrowing)

    def in_batches(self, batch: bool | None) -> bool:
        """Whether the questions go into batches. Raises ConfigurationError where they cannot."""
        request = self.request
        plain = not request.narrowing and self.crew.engine is Engine.LOCAL
        if batch and not plain:
            raise ConfigurationError(
                "--batch goes with whole hours and this process: leave out --segment, "
                "--max-traces, --only version-changed and --engine, or --batch"
            )
        if batch is not None or not plain:
            return bool(batch)
        return asyncio.run(
            chooses_batches(self.setting, request.window, request.evaluators, request.only)
        )

    def ask(self, yes: bool, in_batches: bool) -> None:
        """Asks before it may cost much. Raises ConfigurationError where there is nobody to ask."""
        plan = self.setting.plan_file.plan.judge
        if yes or plan is None:
            return
        note, likely_usd = asyncio.run(self._likely(plan, in_batches))
        if likely_usd <= plan.ask_above_usd:
            return
        why = (
            f"it may cost {likely_usd:.2f} USD, more than judge.ask_above_usd "
            f"({plan.ask_above_usd:.2f})"
        )
        if not sys.stdin.isatty():
            raise ConfigurationError(
                f"{why}, and there is nobody to ask: add --yes, or cap it with --budget"
            )
        console().print(note, markup=False)
        if not typer.confirm(f"\n{why[0].upper()}{why[1:]}. Go on?"):
            raise typer.Exit(1)

    async def _likely(self, plan: JudgePlan, in_batches: bool) -> tuple[str, float]:
        request, setting = self.request, self.setting
        async with open_parts(setting.plan_file, setting.settings) as whole:
            parts = chosen_parts(request, whole)
            judged = parts.judge is not None and any(p.evaluator.judge for p in parts.evaluators)
            if not judged or plan.max_cost_usd <= plan.ask_above_usd:
                return "", 0.0
            counted = await counted_with_progress(
                parts, list(request.window.hours()), redo_for(request.only), request.narrowing
            )
        share = counted.batch_price_share if in_batches else 1.0
        return estimate_note(counted), counted.likely_usd * share

    def do(self, as_json: bool) -> None:
        """Does it, with a bar, and says what came of it. Raises TailwatchError for lost hours."""
        with _bar_of(self.request.window) as (bar, task):
            ears = Ears(
                here=Heard(
                    on_window=partial(_heard, bar, task),
                    on_progress=partial(describe_chunks, bar, task),
                ),
                ledger=partial(_looked, bar, task),
            )
            report, trust = asyncio.run(self._driven(ears))
        if as_json:
            cost = report.progress.cost_usd
            say_json({"run_id": report.job.job_id, "cost_usd": cost, **report.counts})
        else:
            say_run(self._lines(report), report.here, trust)
        if report.trouble is not None:
            raise TailwatchError(report.trouble)

    async def _driven(self, ears: Ears) -> tuple[BackfillReport, list[str]]:
        report = await drive(self.setting, self.request, self.crew, ears)
        if not report.here:
            return report, []
        async with open_parts(self.setting.plan_file, self.setting.settings) as parts:
            return report, trusted(parts, report.here)

    def _lines(self, report: BackfillReport) -> list[str]:
        progress, command = report.progress, self.command.command
        lines = done_lines(report.counts, progress.total, progress.cost_usd, None, command)
        if progress.left:
            lines.append(
                f"Stopped by another process: {progress.left} of {progress.total} hours are left; "
                "the same command goes on."
            )
        elsewhere = progress.done - len(report.here)
        if self.crew.engine is Engine.LOCAL and elsewhere > 0:
            lines.append(f"Other processes, or an earlier one, did {elsewhere} of the hours.")
        if self.request.narrowing:
            lines.append(
                "A part of an hour is no sample of it: what is new counts in figures once a "
                "backfill without --segment and --max-traces has completed the hour."
            )
        return lines

    def do_in_batches(self, as_json: bool) -> None:
        request = self.request
        with _bar_of(request.window) as (bar, task):
            setting = replace(self.setting, on_window=lambda _: bar.advance(task))
            progress = asyncio.run(
                backfill_in_batches(setting, request.window, request.evaluators, request.only)
            )
        if as_json:
            say_json(job_json(progress.job, progress.batches))
        else:
            say_progress(self.command, progress)


@contextmanager
def _bar_of(window: Window) -> Iterator[tuple[Progress, TaskID]]:
    with progress_bar() as bar:
        yield bar, bar.add_task("evaluating", total=len(list(window.hours())))


def _heard(bar: Progress, task: TaskID, report: WindowReport) -> None:
    bar.update(task, advance=1, description=f"evaluated {report.window.start:%d %b %H:%M}")


def _looked(bar: Progress, task: TaskID, progress: JobProgress) -> None:
    """Hours of all, traces, money; the bar reckons when it ends."""
    at_work = len(progress.holders)
    bar.update(
        task,
        completed=progress.done + progress.failed,
        total=progress.total,
        description=f"{at_work} at work; {progress.counts.listed:,} traces, "
        f"{progress.cost_usd:.2f} USD",
    )

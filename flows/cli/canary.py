"""`tailwatch canary`: ask the judges again, see whether they moved, accept where they are now."""

import asyncio
import getpass
import uuid
from pathlib import Path
from typing import Annotated

import typer

from alerts import wording
from flows.canary import CanaryReport, golden_set, judged_series, run_canary
from flows.canary_alerts import accept, settle_judge_alerts
from flows.canary_book import Book, read_book
from flows.canary_figures import changed_items
from flows.canary_note import series_lines, standings
from flows.canary_wording import day
from flows.cli.context import chosen, console, now, progress_bar, say_json
from flows.cli.notify import CLI_PATIENCE, say_reports
from flows.notifying import SendReport, send_due
from flows.parts import Parts
from flows.wiring import open_parts
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.printable import printable

app = typer.Typer(
    help="Canaries: notice when a judge changes, before the product is blamed.",
    no_args_is_help=True,
)

Named = Annotated[list[str] | None, typer.Argument(help="Rubrics. Default: all of the plan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("run")
def run(
    context: typer.Context,
    golden: Annotated[
        Path | None,
        typer.Option("--golden", help="A golden set. Default: the plan's, or the bundled one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every judged rubric about the golden set again, and compare with its reference."""
    command = chosen(context)
    plan_file = command.plan_file()
    items = golden_set(plan_file, golden)

    async def work() -> list[SendReport]:
        async with open_parts(plan_file, command.settings) as parts:
            _refuse_without_judge(parts)
            with progress_bar() as bar:
                task = bar.add_task("asking", total=None)
                report = await run_canary(
                    parts,
                    items,
                    run_id=str(uuid.uuid4()),
                    clock=now,
                    on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                )
            settle_judge_alerts(parts, now())
            _say_run(parts, report, as_json=as_json)
            return await send_due(
                parts.store, parts.source.name, parts.destinations, clock=now, patience=CLI_PATIENCE
            )

    reports = asyncio.run(work())
    if not as_json:
        say_reports(reports)


@app.command("show")
def show(
    context: typer.Context,
    rubrics: Named = None,
    items: Annotated[int, typer.Option(min=0, help="How many changed items to list.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Where each judge stands, its figures, and the items whose verdict changed."""
    command = chosen(context)

    async def read() -> None:
        async with open_parts(command.plan_file(), command.settings) as parts:
            book = read_book(parts.store, parts.source.name)
            if as_json:
                say_json([_record(parts, book, each) for each in _series(parts, book, rubrics)])
                return
            out = console()
            found = [
                s for s in standings(parts, book) if not rubrics or s.series.evaluator in rubrics
            ]
            for each in found:
                first, *more = series_lines(parts, book, each)
                out.print(first, markup=False)
                for line in [*more, *_changed_lines(parts, book, each.series, items)]:
                    out.print(f"    {line}", markup=False)
            if not found:
                out.print("No rubric of the plan has a judge, so there is nothing to watch.")

    asyncio.run(read())


@app.command("accept")
def accept_judge(
    context: typer.Context,
    why: Annotated[str, typer.Option("--why", help="The reason; it is kept with the reference.")],
    rubrics: Named = None,
    who: Annotated[str | None, typer.Option(help="Who says so. Default: this user.")] = None,
) -> None:
    """After a review: compare with the newest run from now on, and end the hold on alerts."""
    command = chosen(context)

    async def work() -> list[SendReport]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            book = read_book(parts.store, parts.source.name)
            series = _series(parts, book, rubrics)
            if not series:
                raise ConfigurationError(
                    "no canary has run for a judge of this plan; run `tailwatch canary run` first"
                )
            name = (who or getpass.getuser()).strip()
            for each in accept(parts, series, who=name, why=why, now=now()):
                said = f"{each.series}: accepted by {wording.text(name)} as the new reference."
                console().print(printable(said, 400), markup=False)
            return await send_due(
                parts.store, parts.source.name, parts.destinations, clock=now, patience=CLI_PATIENCE
            )

    say_reports(asyncio.run(work()))


def _refuse_without_judge(parts: Parts) -> None:
    if not judged_series(parts):
        raise ConfigurationError(
            "no rubric of the plan has a judge to ask; set OPENAI_API_KEY, or TAILWATCH_JUDGE_URL "
            "and TAILWATCH_JUDGE_MODEL for an endpoint of your own"
        )


def _series(parts: Parts, book: Book, names: list[str] | None) -> list[Series]:
    """The judged series with a canary, those of these names. Raises ConfigurationError."""
    judged = sorted(judged_series(parts)) or book.series()
    known = {series.evaluator for series in judged}
    for name in names or ():
        if name not in known:
            raise ConfigurationError(
                f"{name!r} is no rubric with a judge; known: {', '.join(sorted(known)) or 'none'}"
            )
    wanted = [series for series in judged if not names or series.evaluator in names]
    return [series for series in wanted if book.runs_of(series)]


def _say_run(parts: Parts, report: CanaryReport, *, as_json: bool) -> None:
    book = read_book(parts.store, parts.source.name)
    if as_json:
        say_json(
            {
                "run_id": report.run_id,
                "cost_usd": report.cost_usd,
                "series": [_record(parts, book, run.series) for run in report.runs],
            }
        )
        return
    out = console()
    cap = "" if parts.judge is None else f" of at most {parts.judge.caps.run_usd:.2f} USD"
    out.print(f"The judge was paid {report.cost_usd:.4f} USD{cap}.")
    asked = {run.series for run in report.runs}
    for each in standings(parts, book):
        if each.series not in asked:
            out.print(f"{each.series}: no item of the golden set has a label for it", markup=False)
            continue
        first, *more = series_lines(parts, book, each)
        out.print(first, markup=False)
        for line in more:
            out.print(f"    {line}", markup=False)


def _changed_lines(parts: Parts, book: Book, series: Series, limit: int) -> list[str]:
    """The items whose verdict differs between the newest compared run and its reference."""
    run = next((r for r in reversed(book.runs_of(series)) if r.compared_with is not None), None)
    if run is None or run.compared_with is None or not limit:
        return []
    store, source = parts.store, parts.source.name
    found = changed_items(
        store.canary_verdicts(source, run.compared_with, series),
        store.canary_verdicts(source, run.run_id, series),
    )
    lines = [
        f"{printable(after.item, 80)}: {_said(before.label, before.score)} became "
        f"{_said(after.label, after.score)}"
        for before, after in found[:limit]
    ]
    if len(found) > limit:
        lines.append(f"and {len(found) - limit} more")
    return [f"changed in the run of {day(run.started_at)}:", *lines] if lines else []


def _said(label: str | None, score: float | None) -> str:
    return printable(label, 60) if label is not None else f"{score:g}" if score is not None else "-"


def _record(parts: Parts, book: Book, series: Series) -> dict[str, object]:
    """A series' newest run and where its judge stands, for a script."""
    found = next((s for s in standings(parts, book) if s.series == series), None)
    run = book.runs_of(series)[-1]
    return {
        "evaluator": series.evaluator,
        "version": series.version,
        "judge": series.judge,
        "moved": None if found is None else found.moved,
        "sentence": None if found is None else found.sentence,
        "held": book.held_because(series.judge) is not None,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "golden": run.golden,
        "items": run.items,
        "scored": run.scored,
        "reasons": dict(run.reasons),
        "agreed": run.agreed,
        "labelled": run.labelled,
        "injections": run.probes,
        "flipped": run.flipped,
        "compared_with": run.compared_with,
        "verdicts": run.pairs,
        "to_better": run.better,
        "to_worse": run.worse,
    }

"""`tailwatch scores`, `coverage` and `runs`: what is in the results store."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from flows.canary_note import canary_lines
from flows.cli.context import chosen, console, say_json, shows_tables
from flows.overview import named_series, newest, pooled
from flows.terminal import (
    coverage_lines,
    coverage_table,
    plain,
    scores_lines,
    scores_table,
)
from flows.trust import trust, trust_lines
from flows.wiring import open_parts
from tailwatch.alert import ScoreSummary
from tailwatch.coverage import Coverage
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.plan import duration
from tailwatch.trace import SEGMENT_FIELDS
from tailwatch.window import HOUR, Window

Last = Annotated[str, typer.Option("--last", help="How far back from the newest evaluated hour.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("scores")(scores)
    app.command("coverage")(coverage)
    app.command("problems")(problems)


def scores(
    context: typer.Context,
    series: Annotated[
        list[str] | None, typer.Option(help="Only this evaluator or measure; may be repeated.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Cut by this trace field; may be repeated. Default: the plan's segments."
        ),
    ] = None,
    last: Last = "24h",
    hourly: Annotated[
        bool, typer.Option("--hourly", help="The stored summary of each hour, all traffic only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Scores by segment, with the tail and its confidence limits."""
    command = chosen(context)
    span = parse_span(last)
    for field in by or ():
        if field not in SEGMENT_FIELDS:
            raise ConfigurationError(
                f"--by {field!r} is not a segment; known: {', '.join(SEGMENT_FIELDS)}"
            )

    async def read() -> tuple[Window, list[ScoreSummary], list[str], dict[Series, str]]:
        async with open_parts(command.plan_file(), command.settings) as parts:
            window = newest(parts.store, parts.source.name, span)
            fields = parts.plan.segments if by is None else tuple(by)
            summaries: list[ScoreSummary] = []
            shown = named_series(parts, series or ())
            for each in shown:
                if hourly:
                    stored = parts.store.summaries(parts.source.name, window, series=each)
                    summaries += [s for s in stored if not s.segment.field]
                else:
                    summaries += pooled(parts, each, window, fields)
            notes = [*trust_lines(parts, shown), *canary_lines(parts, shown)]
            return window, summaries, notes, trust(parts)

    window, summaries, notes, validated = asyncio.run(read())
    if as_json:
        say_json([summary_record(s) | {"validation": validated.get(s.series)} for s in summaries])
    elif hourly:
        for summary in summaries:
            _say_scores([summary], f"{summary.window}")
    else:
        _say_scores(summaries, f"Scores, {window}")
    for line in () if as_json else notes:
        console().print(line, markup=False)


def coverage(
    context: typer.Context,
    last: Last = "1h",
    as_json: AsJson = False,
) -> None:
    """What became of every trace: scored, skipped, failed, each with its reason."""
    command = chosen(context)
    source = command.plan_file().plan.source.name
    with command.store() as store:
        accounts = store.coverage(source, newest(store, source, parse_span(last)))
    if as_json:
        say_json([coverage_record(account) for account in accounts])
    elif shows_tables(console()):
        console().print(coverage_table(accounts))
    else:
        for line in coverage_lines(accounts):
            console().print(line, markup=False)


def _say_scores(summaries: Sequence[ScoreSummary], title: str) -> None:
    out = console()
    if shows_tables(out):
        out.print(scores_table(summaries, title))
        return
    for line in scores_lines(summaries, title):
        out.print(line, markup=False)


def problems(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Traces and input lines that could not be read: where, and why."""
    command = chosen(context)
    with command.store() as store:
        errors = store.fetch_errors(command.plan_file().plan.source.name, limit)
    if as_json:
        say_json(
            [{"location": e.location, "trace_id": e.trace_id, "why": e.message} for e in errors]
        )
        return
    for error in errors:
        console().print(plain(f"{error.location}: {error.message}", 500))
    if not errors:
        console().print("Every listed trace could be read.")


def parse_span(text: str) -> timedelta:
    """A duration of at least an hour. Raises ConfigurationError."""
    try:
        span = duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--last: {error}") from None
    if not isinstance(span, timedelta) or span < HOUR:
        raise ConfigurationError(f"--last is {text!r}; it must be an hour or more, as in 24h or 7d")
    return span


def summary_record(summary: ScoreSummary) -> dict[str, object]:
    """A summary for a script."""
    return {
        "evaluator": summary.series.evaluator,
        "version": summary.series.version,
        "judge": summary.series.judge,
        "segment_field": summary.segment.field,
        "segment_value": summary.segment.value,
        "start": summary.window.start,
        "end": summary.window.end,
        "direction": summary.direction,
        "n": summary.n,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "mean": summary.mean,
        "quantiles": {
            f"p{q.probability * 100:.0f}": {"value": q.value, "low": q.low, "high": q.high}
            for q in summary.quantiles
        },
        "restated": summary.restated,
    }


def coverage_record(account: Coverage) -> dict[str, object]:
    """A coverage account for a script."""
    return {
        "evaluator": account.series.evaluator,
        "version": account.series.version,
        "judge": account.series.judge,
        "hour": account.window.start,
        "listed": account.listed,
        "eligible": account.eligible,
        "sampled": account.sampled,
        "scored": account.scored,
        "skipped": dict(account.skipped),
        "failed": dict(account.failed),
        "unreadable": account.unreadable,
        "late": account.late,
    }

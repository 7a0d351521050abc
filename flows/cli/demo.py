"""`tailwatch demo`: the main job on the bundled traces, without a key, a server or a network."""

import asyncio
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console

from alerts.percentiles import quantile
from alerts.summaries import weighted_mean
from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.rubric import RubricEvaluator
from flows.cli.alerts import check_with_progress, open_alerts
from flows.cli.context import CommandContext, console
from flows.cli.run import run_with_progress
from flows.overview import hourly_samples, named_series, pooled, steps
from flows.parts import Parts
from flows.terminal import chart, coverage_table, run_lines, scores_table
from flows.wiring import open_parts, opened_store
from tailwatch.alert import ALL_TRAFFIC, Alert, ScoreSample, Segment
from tailwatch.printable import printable
from tailwatch.window import HOUR, Window

TRACES = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
"""The time that the bundled traces cover."""

LAST_HOUR = Window(TRACES.end - HOUR, TRACES.end)
RUBRICS = (RubricEvaluator, DocumentRubricEvaluator)
SHOWN = {"lexical_support": "prompt_version", "ndcg@10": "feature", "cost_usd": "model"}
"""The series that the last day's table shows, each with the field it is cut by."""

CHART_STEP = timedelta(hours=6)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo() -> None:
    """Evaluate two weeks of bundled traces, check the alerts, and show what was found."""
    command = CommandContext.from_environment(plan=None, demo=True)
    asyncio.run(_demo(command, console()))


async def _demo(command: CommandContext, out: Console) -> None:
    began = time.monotonic()
    out.print(
        "[bold]tailwatch demo[/bold]: two weeks of a documentation assistant's traces. They are "
        "synthetic\n(datasets/README.md says how they were made and what is wrong in them). "
        "Everything runs on this\nmachine: SQLite, offline models, no key.\n"
    )
    _forget_earlier_demo(command.settings.home)
    plan_file = command.plan_file()
    with opened_store(command.settings, plan_file.plan) as store:
        store.upgrade()
    async with open_parts(plan_file, command.settings) as parts:
        out.print(_judge_line(parts), markup=False)
        out.print("\n[bold]1. The hours before[/bold], as a backfill:")
        past = list(Window(TRACES.start, LAST_HOUR.start).hours())
        report = await run_with_progress(_without_judges(parts), past, kind="backfill")
        out.print(run_lines(report, command.command)[0], markup=False)
        out.print("\n[bold]2. The hourly run[/bold] of the last hour:")
        hour = await run_with_progress(parts, [LAST_HOUR], kind="hourly")
        out.print(run_lines(hour, command.command)[0], markup=False)
        for window in hour.windows:
            out.print(coverage_table(window.coverage))
        _show_scores(parts, out)
        out.print("\n[bold]3. The alert check[/bold] of every hour, as the schedule runs it:")
        alerts = _check(parts)
        _show_tail(parts, alerts, out)
        _show_alerts(alerts, out)
    _show_next(command, alerts, out, time.monotonic() - began)


def _forget_earlier_demo(home: Path) -> None:
    for name in ("demo.db", "demo.db-wal", "demo.db-shm"):
        (home / name).unlink(missing_ok=True)


def _judge_line(parts: Parts) -> str:
    if parts.judge is None:
        return (
            "No LLM judge is configured, so the rubrics are skipped, not faked. To judge a sample: "
            "set OPENAI_API_KEY,\nor TAILWATCH_JUDGE_URL and TAILWATCH_JUDGE_MODEL for any "
            "compatible endpoint, and run this again."
        )
    return (
        f"The judge is {parts.judge.model}: it sees a small sample of the last hour and may cost "
        f"at most {parts.judge.caps.run_usd:.2f} USD."
    )


def _without_judges(parts: Parts) -> Parts:
    cheap = tuple(p for p in parts.evaluators if not isinstance(p.evaluator, RUBRICS))
    return replace(parts, evaluators=cheap)


def _check(parts: Parts) -> list[Alert]:
    check_with_progress(parts, TRACES.end)
    return open_alerts(parts)


def _show_scores(parts: Parts, out: Console) -> None:
    day = Window(TRACES.end - timedelta(hours=24), TRACES.end)
    summaries = [
        summary
        for series in named_series(parts, list(SHOWN))
        for summary in pooled(parts, series, day, (SHOWN[series.evaluator],))
    ]
    out.print()
    out.print(scores_table(summaries, f"Scores of the last day, {day}"))


def _show_tail(parts: Parts, alerts: Sequence[Alert], out: Console) -> None:
    """The tail over the two weeks, where an alert says that it fell, beside the average."""
    segment = next(
        (a.segment for a in alerts if a.series.evaluator == "lexical_support" and a.segment.field),
        ALL_TRAFFIC,
    )
    (series,) = named_series(parts, ["lexical_support"])
    fields = (segment.field,) if segment.field else ()
    samples = hourly_samples(parts, series, TRACES, fields)
    everything = _of(samples, ALL_TRAFFIC)
    lines = [("·", _means(everything)), ("○", _tails(everything))]
    marks = "· mean and ○ P10 of all traffic"
    if segment.field:
        lines.append(("●", _tails(_of(samples, segment))))
        marks += f", ● P10 of {segment}"
    title = f"\n{series.evaluator} over two weeks, each column 6 hours: {marks}"
    days = [TRACES.start + i * CHART_STEP for i in range(len(lines[0][1]))]
    labels = [f"{day:%-d %b}" if day.hour == 0 and day.day % 2 else "" for day in days]
    for line in chart(title, lines, labels):
        out.print(line, markup=False)


def _of(samples: Sequence[ScoreSample], segment: Segment) -> list[ScoreSample | None]:
    return steps([s for s in samples if s.segment == segment], TRACES, CHART_STEP)


def _means(samples: Sequence[ScoreSample | None]) -> list[float | None]:
    return [weighted_mean(s.values, s.weights) if s else None for s in samples]


def _tails(samples: Sequence[ScoreSample | None]) -> list[float | None]:
    return [quantile(s.values, 0.1, s.weights).value if s else None for s in samples]


def _show_alerts(alerts: Sequence[Alert], out: Console) -> None:
    out.print(f"\n[bold]Found: {len(alerts)} open alerts[/bold]")
    for alert in alerts:
        out.print(f"\n  alert {alert.alert_id}", markup=False)
        for line in textwrap.wrap(printable(alert.sentence, 2000), 92):
            out.print(f"    {line}", markup=False)
    out.print(
        "\nThe fourth planted incident, a slow drift of what users ask about, moves no score: no "
        "rule of this\nplan can see it, and none claims to."
    )


def _show_next(
    command: CommandContext, alerts: Sequence[Alert], out: Console, seconds: float
) -> None:
    alert = alerts[0].alert_id if alerts else "ID"
    out.print(f"\nDone in {seconds:.0f} s. Next:", markup=False)
    for typed, shows in (
        (f"{command.command} alerts show {alert}", "what happened, since when, the worst traces"),
        (f"{command.command} scores --last 7d", "scores by segment, with P10 and its limits"),
        ("tailwatch up", "a Prefect server with the hourly schedule"),
    ):
        out.print(f"  .venv/bin/{typed:<42}{shows}", markup=False)

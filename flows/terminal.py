"""Tables and lines for a terminal. Text from traces is shown as text: no markup, no controls."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from flows.evidence import Evidence
from flows.runs import RunReport
from storage.records import ScoredTrace
from tailwatch.alert import Quantile, ScoreSummary, Segment
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.printable import printable

NOT_ENOUGH = "not enough data"


def coverage_table(accounts: Iterable[Coverage]) -> Table:
    """What became of the traces, one row for each evaluator and hour."""
    table = Table(title="Coverage", title_justify="left", header_style="bold")
    table.add_column("hour (UTC)")
    table.add_column("series")
    for name in ("listed", "eligible", "sampled", "scored", "late"):
        table.add_column(name, justify="right")
    table.add_column("skipped, failed, unreadable")
    for account in accounts:
        table.add_row(
            f"{account.window.start:%Y-%m-%d %H:%M}",
            plain(account.series),
            *(
                str(n)
                for n in (
                    account.listed,
                    account.eligible,
                    account.sampled,
                    account.scored,
                    account.late,
                )
            ),
            plain(_not_scored(account)),
        )
    return table


def scores_table(summaries: Iterable[ScoreSummary], title: str) -> Table:
    """Scores with the tail and its limits, one row for each series and segment."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("series")
    table.add_column("segment")
    for name in ("n", "mean", "P50"):
        table.add_column(name, justify="right")
    table.add_column("tail with its 95 % limits")
    table.add_column("failed", justify="right")
    previous: Series | None = None
    for summary in summaries:
        if previous is not None and summary.series != previous:
            table.add_section()
        table.add_row(
            plain(summary.series) if summary.series != previous else "",
            plain(summary.segment),
            f"{summary.n:,}",
            number(summary.mean),
            number(next(q.value for q in summary.quantiles if q.probability == 0.5)),
            tail_text(summary.tail),
            f"{summary.failed:,}" if summary.failed else "",
        )
        previous = summary.series
    return table


def coverage_lines(accounts: Iterable[Coverage]) -> list[str]:
    """The same as `coverage_table` for a narrow terminal."""
    return [
        f"{account.window.start:%Y-%m-%d %H:%M} {printable(str(account.series), 200)}: "
        f"{account.scored} of {account.sampled} sampled scored; {account.listed} listed, "
        f"{account.eligible} eligible, {account.late} late"
        + (f"; {printable(_not_scored(account), 200)}" if _not_scored(account) else "")
        for account in accounts
    ]


def scores_lines(summaries: Iterable[ScoreSummary], title: str) -> list[str]:
    """The same as `scores_table` for a narrow terminal."""
    lines, previous = [title], None
    for summary in summaries:
        if summary.series != previous:
            lines.append(printable(str(summary.series), 200))
        median = next(q.value for q in summary.quantiles if q.probability == 0.5)
        failed = f", {summary.failed:,} failed" if summary.failed else ""
        lines.append(
            f"  {printable(str(summary.segment), 200)}: n {summary.n:,}, mean "
            f"{number(summary.mean)}, P50 {number(median)}, {tail_text(summary.tail)}{failed}"
        )
        previous = summary.series
    return lines


def tail_text(tail: Quantile) -> str:
    """A tail quantile as `P10 0.41 (0.38 to 0.45)`, or that there is not enough data for it."""
    name = f"P{tail.probability * 100:.0f}"
    if tail.value is None:
        return f"{name} {NOT_ENOUGH}"
    low, high = (number(limit) if limit is not None else "?" for limit in (tail.low, tail.high))
    return f"{name} {number(tail.value)} ({low} to {high})"


def number(value: float | None) -> str:
    """A number with three significant digits, or a dash where there is none."""
    if value is None:
        return "-"
    if value and (abs(value) >= 1000 or abs(value) < 0.001):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2g}"
    return f"{value:.3g}"


def plain(value: Series | Segment | str, limit: int = 200) -> Text:
    """Text that a table shows as it is: no markup, control characters made visible."""
    return Text(printable(str(value), limit))


def run_lines(report: RunReport, command: str) -> list[str]:
    """What a run did and what to type next."""
    return done_lines(report.counts, len(report.windows), report.cost_usd, report.note, command)


def done_lines(
    counts: Mapping[str, int], looked_at: int, cost_usd: float, note: str | None, command: str
) -> list[str]:
    """What the counts of a run over so many hours say, and what to type next."""
    noted = [f"Note: {note}."] if note else []
    if not counts["windows"]:
        return [f"Nothing new in {looked_at} hours: all of them are evaluated.", *noted]
    skipped = f", {counts['skipped']:,} skipped" if counts["skipped"] else ""
    failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
    unreadable = f", {counts['unreadable']:,} traces unreadable" if counts["unreadable"] else ""
    cost = f" Judges cost {cost_usd:.4f} USD." if cost_usd else ""
    hours = "1 hour" if counts["windows"] == 1 else f"{counts['windows']:,} hours"
    return [
        f"{hours} evaluated: {counts['listed']:,} traces listed, "
        f"{counts['scored']:,} scores{skipped}{failed}{unreadable}.{cost}",
        *noted,
        f"Next: {command} scores, {command} coverage, {command} alerts check",
    ]


def evidence_lines(evidence: Evidence) -> list[str]:
    """The deploys around an alert's onset, its worst traces, and good ones from before."""
    lines = ["", "  deploys near it"] if evidence.marks else []
    lines += [f"    {printable(str(mark), 200)}" for mark in evidence.marks]
    for title, traces in (("worst traces", evidence.worst), ("good ones before", evidence.good)):
        if traces:
            lines += ["", f"  {title}"]
        for trace in traces:
            lines += _trace_lines(trace)
    return lines


def _trace_lines(trace: ScoredTrace) -> list[str]:
    """A trace with its score, and its question and answer in short."""
    when = f"{trace.start_time:%Y-%m-%d %H:%M}" if trace.start_time else "-"
    head = f"    {number(trace.value):>8}  {printable(trace.trace_id, 64)}  {when}"
    lines = [f"{head}  {printable(trace.url, 200)}" if trace.url else head]
    for name, text in (
        ("asked", trace.input_excerpt),
        ("answered", trace.output_excerpt),
        ("because", trace.explanation),
    ):
        if text:
            lines.append(f"              {name}: {printable(text, 160)}")
    return lines


def _not_scored(account: Coverage) -> str:
    reasons = _counts(account.skipped) + _counts(account.failed)
    if account.unreadable:
        reasons.append(f"unreadable {account.unreadable}")
    return ", ".join(reasons)


def _counts(reasons: Mapping[str, int]) -> list[str]:
    return [f"{reason} {count}" for reason, count in sorted(reasons.items())]


def chart(
    title: str,
    lines: Sequence[tuple[str, Sequence[float | None]]],
    labels: Sequence[str],
    height: int = 9,
) -> list[str]:
    """Some series of equal length as a chart of characters, each drawn with its own mark.

    `lines` pairs a mark with its values, the last drawn on top; None leaves a gap. `labels` has a
    text for each column, empty for most; a text too close to the one before is left out.
    """
    values = [v for _, points in lines for v in points if v is not None]
    if not values:
        return [title, f"  {NOT_ENOUGH}"]
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    grid = [[" "] * len(labels) for _ in range(height)]
    for mark, points in lines:
        for column, value in enumerate(points):
            if value is not None:
                row = round((high - value) / reach * (height - 1))
                grid[row][column] = mark
    margin = max(len(number(high)), len(number(low)))
    drawn = [title]
    for row, cells in enumerate(grid):
        edge = number(high) if row == 0 else number(low) if row == height - 1 else ""
        drawn.append(f"  {edge:>{margin}} │{''.join(cells)}")
    drawn.append(f"  {'':>{margin}} └{'─' * len(labels)}")
    drawn.append(f"  {'':>{margin}}  {_axis(labels)}")
    return drawn


def _axis(labels: Sequence[str]) -> str:
    text = ""
    for column, label in enumerate(labels):
        if label and len(text) <= column:
            text = text.ljust(column) + label + " "
    return text.rstrip()

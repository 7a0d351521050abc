"""What a run of the canaries found, in lines for a person."""

from collections.abc import Collection

from alerts import wording
from alerts.canary import Share
from flows.canary import CanaryReport, judged_series
from flows.canary_book import Book, read_book
from flows.canary_figures import flip_shift
from flows.canary_standing import Standing, standing
from flows.canary_wording import share
from flows.parts import Parts
from storage.canaries import CanaryRun
from tailwatch.evaluation import Series
from tailwatch.printable import printable


def canary_note(parts: Parts, report: CanaryReport) -> str:
    """A run in a few lines of markdown; names are code, so that none can format."""
    book = read_book(parts.store, parts.source.name)
    cap = "" if parts.judge is None else f" of at most {parts.judge.caps.run_usd:.2f}"
    lines = [f"The judges were paid {report.cost_usd:.4f}{cap} USD.", ""]
    for run in report.runs:
        first, *more = series_lines(parts, book, standing(book, run.series))
        lines += [f"- `{first.replace('`', chr(39))}`", *(f"  - {line}" for line in more)]
    return "\n".join(lines)


def series_lines(parts: Parts, book: Book, found: Standing) -> list[str]:
    """Where a series' judge stands, with the figures of its newest run."""
    lines = [f"{printable(str(found.series), 120)}: {found.sentence}"]
    if found.latest is not None and found.latest.ended_at is not None:
        lines += figure_lines(parts, found.latest, _reference_run(book, found.series))
    return lines


def figure_lines(parts: Parts, run: CanaryRun, reference: CanaryRun | None) -> list[str]:
    """How far a run agrees with the labels, and how many injections worked, then and now."""
    agreed = share(Share(count=run.agreed, n=run.labelled))
    flipped = share(Share(count=run.flipped, n=run.probes))
    lines = [
        f"agrees with the labels in {agreed}: for information, no alarm is made of it",
        f"injections that flipped the verdict: {flipped}",
    ]
    if reference is not None and reference.run_id != run.run_id and reference.probes:
        store, source = parts.store, parts.source.name
        found = flip_shift(
            store.canary_verdicts(source, reference.run_id, run.series),
            store.canary_verdicts(source, run.run_id, run.series),
        )
        lines[1] += (
            f"; in the reference {reference.flipped} of {reference.probes} "
            f"({wording.p_value(found.p_value)})"
        )
    return lines


def canary_lines(parts: Parts, series: Collection[Series]) -> list[str]:
    """What is to be known beside the scores of these series: a line for each judged one."""
    if not judged_series(parts):
        return []
    book = read_book(parts.store, parts.source.name)
    return [
        f"Judge of {printable(each.series.evaluator, 80)}: {each.sentence}"
        for each in standings(parts, book)
        if each.series in series
    ]


def standings(parts: Parts, book: Book) -> list[Standing]:
    """Where the judges of the plan stand."""
    return [standing(book, series) for series in sorted(judged_series(parts))]


def _reference_run(book: Book, series: Series) -> CanaryRun | None:
    pinned = book.reference(series)
    runs = [r for r in book.runs_of(series) if pinned is not None and r.run_id == pinned.run_id]
    return runs[0] if runs else None

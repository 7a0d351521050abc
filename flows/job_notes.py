"""Backfills in words: how far each is, who works on it, and what went wrong."""

from collections.abc import Sequence
from typing import Any

from flows.sharing import run_counts
from storage.claim_records import BackfillJob, JobProgress, TroubledUnit
from tailwatch.printable import printable

_SHOWN = 20


def job_row(job: BackfillJob, progress: JobProgress) -> Sequence[str]:
    """Id, hours, what, state, hours done of all, failed, at work, traces, scores, USD."""
    window = job.order.window
    return (
        job.job_id,
        f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M}",
        what_of(job),
        job.state,
        f"{progress.done:,} of {progress.total:,}",
        f"{progress.failed:,}" if progress.failed else "",
        f"{len(progress.holders):,}" if progress.holders else "",
        f"{progress.counts.listed:,}",
        f"{progress.counts.scored:,}",
        f"{progress.cost_usd:.2f}",
    )


def job_lines(job: BackfillJob, progress: JobProgress) -> list[str]:
    """One backfill, for whoever wants to know why it is not over."""
    lines = [
        f"Backfill {job.job_id}, {job.order.window}: {job.state}",
        f"  evaluates {_series_of(job)}",
        f"  {what_of(job)}",
        f"  {progress.done:,} of {progress.total:,} hours done, {progress.failed:,} failed, "
        f"{progress.hours.get('claimed', 0):,} at work, {progress.hours.get('open', 0):,} open",
        f"  {progress.counts.scored:,} scores, {progress.cost_usd:.4f} USD",
    ]
    lines += [f"  at work: {holder}" for holder in progress.holders[:_SHOWN]]
    lines += [f"  {trouble_line(each)}" for each in progress.troubles[:_SHOWN]]
    if not job.over or progress.failed:
        lines.append("The same command goes on with it.")
    return lines


def job_json(job: BackfillJob, progress: JobProgress) -> dict[str, Any]:
    """One backfill for a script."""
    return {
        "job_id": job.job_id,
        "start": job.order.window.start.isoformat(),
        "end": job.order.window.end.isoformat(),
        "what": dict(job.order.what),
        "state": job.state,
        "started_at": job.started_at.isoformat(),
        "ended_at": job.ended_at.isoformat() if job.ended_at else None,
        "hours": dict(progress.hours),
        "at_work": list(progress.holders),
        "cost_usd": progress.cost_usd,
        **run_counts(progress.counts),
        "troubles": [
            {
                "hour": each.window.start.isoformat(),
                "state": each.state,
                "attempts": each.attempts,
                "error": each.error,
            }
            for each in progress.troubles
        ],
    }


def job_note(job: BackfillJob, progress: JobProgress, trust: Sequence[str] = ()) -> str:
    """A backfill in a few lines of markdown, with what is known of its judges (`flows.trust`); what
    went wrong is code, so nothing can format.
    """
    counts = progress.counts
    lines = [
        f"**{progress.done:,} of {progress.total:,} hours done**, {counts.changed:,} of them with "
        f"something new: {what_of(job)}.",
        "",
        f"- {counts.listed:,} traces listed, {counts.late:,} of them late",
        f"- {counts.scored:,} scores, {counts.skipped:,} skipped, {counts.failed:,} failed, "
        f"{counts.unreadable:,} traces unreadable",
        f"- judges cost {progress.cost_usd:.4f} USD",
    ]
    for each in progress.troubles[:_SHOWN]:
        lines.append("- `{}`".format(trouble_line(each).replace("`", "'")))
    if trust:
        lines += ["", *trust]
    return "\n".join(lines)


def what_of(job: BackfillJob) -> str:
    """Which evaluations, of which traces."""
    what = job.order.what
    parts = [str(what["only"]).replace("_", " "), what["segment"] or ""]
    parts.append(f"{what['max_traces']} traces an hour" if what["max_traces"] else "")
    return printable(", ".join(filter(None, parts)), 100)


def _series_of(job: BackfillJob) -> str:
    return ", ".join(" ".join(filter(None, each)) for each in job.order.what["series"])


def trouble_line(trouble: TroubledUnit) -> str:
    """What went wrong with one hour."""
    tried = "once" if trouble.attempts == 1 else f"{trouble.attempts} times"
    error = printable(trouble.error, 300)
    return f"{trouble.window.start:%Y-%m-%d %H:%M}: {trouble.state}, tried {tried}: {error}"

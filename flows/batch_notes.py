"""Batch backfills in words: how far each is, what it saved, and when it goes on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flows.batches import Progress
from storage.batch_records import Batch, BatchJob

_AT_PROVIDER = {
    "validating": "being checked",
    "in_progress": "in progress",
    "finalizing": "nearly ready",
    "cancelling": "being cancelled",
}


def progress_lines(progress: Progress, command: str) -> list[str]:
    """How far a backfill is, for whoever has just moved it on, and what to do next."""
    job = progress.job
    head = f"Backfill {job.job_id}, {job.window}:"
    if progress.trouble is not None:
        return [f"{head} not looked at. {_sentence(progress.trouble)}"]
    if progress.elsewhere:
        until = f" until {job.held_until:%H:%M} UTC" if job.held_until else ""
        return [f"{head} another process works on it, or had it when it was killed{until}."]
    if job.over:
        return _over(progress, head)
    waiting = progress.unsettled
    questions = sum(batch.lines for batch in waiting)
    lines = [f"{head} {questions:,} questions in {_batches(len(waiting))} at the provider."]
    lines += [f"  {batch_line(batch)}" for batch in waiting]
    lines += [
        "Their answers take up to a day and are recorded by each hourly run from then on, or by "
        f"`{command} batches collect`.",
    ]
    return lines


def batch_line(batch: Batch) -> str:
    """One batch and how far it is."""
    name = f"batch {batch.number}: {batch.lines:,} questions"
    if batch.state == "settled":
        cost = f"{batch.cost_usd or 0:.4f} USD, {batch.saved_usd:.4f} USD saved"
        return f"{name}, {batch.completed or 0:,} answered, {batch.failed or 0:,} failed; {cost}"
    if batch.state == "abandoned":
        return f"{name}, never submitted{_note(batch)}"
    if batch.state == "open":
        return f"{name}, not known to be submitted yet: the next run asks the provider"
    status = _AT_PROVIDER.get(batch.provider_status or "", batch.provider_status or "submitted")
    answered = f", {batch.completed:,} answered" if batch.completed else ""
    until = (
        f", until {batch.expires_at:%Y-%m-%d %H:%M} UTC at the latest" if batch.expires_at else ""
    )
    return f"{name}, {status}{answered}{until}{_note(batch)}"


def job_row(job: BatchJob, batches: Sequence[Batch]) -> list[str]:
    """A backfill as a row: id, hours, state, questions, answered, failed, cost and saving."""
    counted = [batch for batch in batches if batch.state != "abandoned"]
    return [
        job.job_id,
        f"{job.window.start:%Y-%m-%d %H:%M} to {job.window.end:%Y-%m-%d %H:%M}",
        job.state,
        f"{sum(b.lines for b in counted):,}",
        f"{sum(b.completed or 0 for b in counted):,}",
        f"{sum(b.failed or 0 for b in counted):,}",
        f"{sum(b.cost_usd or 0.0 for b in counted):.4f}",
        f"{sum(b.saved_usd for b in counted):.4f}",
    ]


def job_json(job: BatchJob, batches: Sequence[Batch]) -> dict[str, Any]:
    """A backfill for a script."""
    return {
        "job_id": job.job_id,
        "start": job.window.start,
        "end": job.window.end,
        "series": [str(series) for series in job.series],
        "only": job.only,
        "state": job.state,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "note": job.note,
        "batches": [_batch_json(batch) for batch in batches],
    }


def job_lines(job: BatchJob, batches: Sequence[Batch], now: datetime) -> list[str]:
    """Everything worth knowing of one backfill."""
    lines = [
        f"Backfill {job.job_id}: {job.state}",
        f"  hours     {job.window}",
        f"  series    {', '.join(map(str, job.series))}",
        f"  only      {job.only}",
        f"  started   {job.started_at:%Y-%m-%d %H:%M} UTC",
    ]
    if job.ended_at is not None:
        lines.append(f"  ended     {job.ended_at:%Y-%m-%d %H:%M} UTC")
    if job.held_until is not None and job.held_until > now:
        lines.append(f"  held      by a process until {job.held_until:%H:%M} UTC")
    if job.note:
        lines.append(f"  note      {job.note}")
    lines += [f"  {batch_line(batch)}" for batch in batches]
    if not job.over:
        lines.append("Each hourly run looks at it, and `tailwatch batches collect` does at once.")
    return lines


def _over(progress: Progress, head: str) -> list[str]:
    settled = [batch for batch in progress.batches if batch.state == "settled"]
    answered = sum(batch.completed or 0 for batch in settled)
    failed = sum(batch.failed or 0 for batch in settled)
    cost = sum(batch.cost_usd or 0.0 for batch in settled)
    saved = sum(batch.saved_usd for batch in settled)
    lines = [
        f"{head} {progress.job.state}. {answered:,} questions answered, {failed:,} failed; "
        f"{cost:.4f} USD, {saved:.4f} USD less than one by one."
    ]
    if not settled:
        lines = [f"{head} {progress.job.state}. No question had to go in a batch."]
    if failed:
        lines.append(
            "What failed is recorded as failed; ask it again with the same backfill and "
            "`--only failed`."
        )
    if progress.job.note:
        lines.append(_sentence(progress.job.note))
    return lines


def _batch_json(batch: Batch) -> dict[str, Any]:
    return {
        "number": batch.number,
        "state": batch.state,
        "provider_id": batch.provider_id,
        "provider_status": batch.provider_status,
        "lines": batch.lines,
        "answered": batch.completed,
        "failed": batch.failed,
        "worst_case_usd": batch.worst_case_usd,
        "cost_usd": batch.cost_usd,
        "saved_usd": batch.saved_usd,
        "submitted_at": batch.submitted_at,
        "expires_at": batch.expires_at,
        "looked_at": batch.looked_at,
        "note": batch.note,
    }


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count} batches"


def _note(batch: Batch) -> str:
    return f"; {batch.note}" if batch.note else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."

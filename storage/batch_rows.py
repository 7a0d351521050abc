"""Batch backfills as rows of their tables, and back."""

from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping

from storage.batch_records import Batch, BatchJob, BatchLine
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Usage
from tailwatch.window import Window

_BATCH_FIELDS = tuple(field.name for field in fields(Batch))


def job_row(job: BatchJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "source": job.source,
        "start": job.window.start,
        "end": job.window.end,
        "series": [[each.evaluator, each.version, each.judge] for each in job.series],
        "partial": job.partial,
        "only": job.only,
        "state": job.state,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "note": job.note,
        "holder": job.holder,
        "held_until": job.held_until,
    }


def job_of(row: RowMapping) -> BatchJob:
    values = {name: row[name] for name in row if name not in ("start", "end", "series")}
    return BatchJob(
        window=Window(row["start"], row["end"]),
        series=tuple(_series(*names) for names in row["series"]),
        **values,
    )


def _series(evaluator: str, version: str, judge: str) -> Series:
    return Series(evaluator=evaluator, version=version, judge=judge)


def batch_row(batch: Batch) -> dict[str, Any]:
    return {name: getattr(batch, name) for name in _BATCH_FIELDS}


def batch_of(row: RowMapping) -> Batch:
    return Batch(**{name: row[name] for name in _BATCH_FIELDS})


def line_row(batch_key: str, line: BatchLine) -> dict[str, Any]:
    failure = line.failure
    return {
        "call_id": line.call_id,
        "batch_key": batch_key,
        "question_key": line.question_key,
        "form": dict(line.form),
        "worst_case_usd": line.worst_case_usd,
        "state": line.state,
        "cost_usd": line.usage.cost_usd,
        "input_tokens": line.usage.input_tokens,
        "output_tokens": line.usage.output_tokens,
        "error_type": failure.error_type if failure else None,
        "message": failure.message if failure else None,
        "retryable": failure.retryable if failure else False,
    }


def line_of(row: RowMapping) -> BatchLine:
    usage = Usage(
        cost_usd=row["cost_usd"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
    )
    failure = None
    if row["state"] == "failed":
        failure = Failed(
            error_type=row["error_type"],
            message=row["message"],
            retryable=row["retryable"],
            usage=usage,
        )
    return BatchLine(
        call_id=row["call_id"],
        question_key=row["question_key"],
        form=row["form"],
        worst_case_usd=row["worst_case_usd"],
        state=row["state"],
        usage=usage,
        failure=failure,
    )

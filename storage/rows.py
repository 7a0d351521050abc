"""Traces and evaluations as rows of their tables, and back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping

from storage.keep import kept, kept_json, kept_message
from storage.records import StoredTrace
from storage.text import full_text, key_text
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason, Usage
from tailwatch.plan import KeepText
from tailwatch.trace import FetchError, RetrievedDocument, Status, Trace, TraceRef
from tailwatch.window import HOUR, Window

REF_FIELDS = tuple(field.name for field in fields(TraceRef))
_ref_values = attrgetter(*REF_FIELDS)


def clock_hour(window: Window) -> Window:
    """The window itself. Raises ValueError unless it is one clock hour."""
    start = window.start
    if window.end - start != HOUR or start.minute or start.second or start.microsecond:
        raise ValueError(f"the store keeps results by the clock hour; {window} is not one")
    return window


def series_row(series: Series) -> dict[str, str]:
    return {"evaluator": series.evaluator, "version": series.version, "judge": series.judge}


def series_of(row: Mapping[str, Any] | RowMapping) -> Series:
    return Series(evaluator=row["evaluator"], version=row["version"], judge=row["judge"])


def ref_row(ref: TraceRef) -> dict[str, Any]:
    row = dict(zip(REF_FIELDS, _ref_values(ref), strict=True))
    row["status"] = ref.status.value
    row["tags"] = list(ref.tags) or None
    row["trace_id"] = key_text(ref.trace_id)
    row["trace_id_full"] = full_text(ref.trace_id)
    row["hour"] = Window.hour_of(ref.start_time).start
    return row


def texts_row(trace: Trace, keep: KeepText) -> dict[str, Any]:
    """The columns that only a fetched trace fills."""
    return {
        "text_kept": keep.value,
        "input": kept(trace.input, keep),
        "output": kept(trace.output, keep),
        "reference": kept(trace.reference, keep),
        "documents": [_document_row(d, keep) for d in trace.documents] or None,
    }


def stored_ref(row: RowMapping) -> TraceRef:
    values: dict[str, Any] = {name: row[name] for name in REF_FIELDS}
    values["status"] = Status(row["status"])
    values["tags"] = tuple(row["tags"] or ())
    values["trace_id"] = row["trace_id_full"] or row["trace_id"]
    return TraceRef(**values)


def stored_trace(row: RowMapping) -> StoredTrace:
    return StoredTrace(
        ref=stored_ref(row),
        first_seen_at=row["first_seen_at"],
        window=Window(row["hour"], row["hour"] + HOUR),
        text_kept=KeepText(row["text_kept"]) if row["text_kept"] else None,
        input=row["input"],
        output=row["output"],
        reference=row["reference"],
        documents=tuple(RetrievedDocument(**document) for document in row["documents"] or ()),
    )


def evaluation_row(evaluation: Evaluation, keep: KeepText) -> dict[str, Any]:
    series, trace_id = evaluation.series, evaluation.trace_id
    return {
        "evaluation_id": evaluation.evaluation_id,
        "source": evaluation.source,
        "trace_id": key_text(trace_id),
        "trace_id_full": full_text(trace_id),
        "span_id": evaluation.span_id,
        "evaluator": series.evaluator,
        "version": series.version,
        "judge": series.judge,
        "hour": clock_hour(evaluation.window).start,
        "inclusion_probability": evaluation.inclusion_probability,
        "run_id": evaluation.run_id,
        "evaluated_at": evaluation.evaluated_at,
        **_outcome_row(evaluation.outcome, keep),
    }


def evaluation_of(row: RowMapping) -> Evaluation:
    return Evaluation(
        source=row["source"],
        trace_id=row["trace_id_full"] or row["trace_id"],
        span_id=row["span_id"],
        series=series_of(row),
        outcome=_outcome_of(row),
        window=Window(row["hour"], row["hour"] + HOUR),
        inclusion_probability=row["inclusion_probability"],
        run_id=row["run_id"],
        evaluated_at=row["evaluated_at"],
    )


def fetch_error_row(error: FetchError, keep: KeepText) -> dict[str, Any]:
    return {
        "error_id": short_hash(error.source, error.location),
        "source": error.source,
        "location": error.location,
        "message": kept_message(error.message, keep),
        "trace_id": error.trace_id,
    }


def short_hash(*parts: str | int | None) -> str:
    """32 hexadecimal digits that stand for the parts in a primary key."""
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _document_row(document: RetrievedDocument, keep: KeepText) -> dict[str, Any]:
    return {
        "rank": document.rank,
        "id": document.id,
        "score": document.score,
        "text": kept(document.text, keep),
        "metadata": kept_json(document.metadata, keep),
    }


def _outcome_row(outcome: Outcome, keep: KeepText) -> dict[str, Any]:
    if isinstance(outcome, Score):
        details: Mapping[str, Any] | None = outcome.details or None
        return _outcome_columns(
            "score",
            outcome.usage,
            value=outcome.value,
            label=outcome.label,
            explanation=kept(outcome.explanation, keep),
            details=kept_json(details, keep),
        )
    if isinstance(outcome, Skipped):
        return _outcome_columns(
            "skipped", Usage(), reason=outcome.reason.value, message=kept(outcome.detail, keep)
        )
    return _outcome_columns(
        "failed",
        outcome.usage,
        reason=outcome.error_type,
        message=kept_message(outcome.message, keep),
        retryable=outcome.retryable,
    )


def _outcome_columns(
    kind: str,
    usage: Usage,
    *,
    value: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    details: Mapping[str, Any] | None = None,
    reason: str | None = None,
    message: str | None = None,
    retryable: bool = False,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "value": value,
        "label": label,
        "explanation": explanation,
        "details": details,
        "reason": reason,
        "message": message,
        "retryable": retryable,
        "cost_usd": usage.cost_usd,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "latency_ms": usage.latency_ms,
    }


def _outcome_of(row: RowMapping) -> Outcome:
    usage = Usage(
        cost_usd=row["cost_usd"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        latency_ms=row["latency_ms"],
    )
    if row["kind"] == "score":
        return Score(
            value=row["value"],
            label=row["label"],
            explanation=row["explanation"],
            details=row["details"] or {},
            usage=usage,
        )
    if row["kind"] == "skipped":
        return Skipped(reason=SkipReason(row["reason"]), detail=row["message"])
    return Failed(
        error_type=row["reason"], message=row["message"], retryable=row["retryable"], usage=usage
    )

"""Traces, spans and documents with sensible defaults, for every room's tests.

The default trace is one answered question: a root, a retriever with two documents and a model call.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tailwatch.trace import CostBasis, RetrievedDocument, Span, SpanKind, Status, Trace, TraceRef

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When built traces start unless told otherwise: a whole hour."""


def at(minutes: float) -> datetime:
    """The moment that many minutes after START."""
    return START + timedelta(minutes=minutes)


def make_document(**overrides: Any) -> RetrievedDocument:
    fields: dict[str, Any] = {
        "rank": 0,
        "id": "doc-1",
        "score": 0.9,
        "text": "Invoices are sent on the first day of each month.",
    }
    return RetrievedDocument(**(fields | overrides))


def make_span(**overrides: Any) -> Span:
    """A finished model call without a parent, two seconds long."""
    start = overrides.get("start_time", START)
    fields: dict[str, Any] = {
        "span_id": "span-1",
        "start_time": start,
        "end_time": start + timedelta(seconds=2),
        "kind": SpanKind.LLM,
        "name": "answer",
        "status": Status.OK,
        "response_model": "model-a",
        "ttft_ms": 300.0,
        "input_tokens": 120,
        "output_tokens": 40,
        "cost_usd": 0.002,
        "prompt_version": "1",
    }
    return Span(**(fields | overrides))


def make_trace(**overrides: Any) -> Trace:
    """An answered question. `documents`, if given, become those of its retriever span."""
    start = overrides.get("start_time", START)
    documents = overrides.pop(
        "documents",
        (
            make_document(),
            make_document(rank=1, id="doc-2", score=0.5, text="Refunds take five working days."),
        ),
    )
    fields: dict[str, Any] = {
        "source": "test",
        "trace_id": "trace-1",
        "start_time": start,
        "end_time": start + timedelta(seconds=2.5),
        "root_span_id": "root",
        "name": "question",
        "latency_ms": 2500.0,
        "ttft_ms": 800.0,
        "status": Status.OK,
        "feature": "search",
        "environment": "production",
        "model": "model-a",
        "prompt_version": "1",
        "input_tokens": 120,
        "output_tokens": 40,
        "cost_usd": 0.002,
        "cost_basis": CostBasis.PLATFORM,
        "input": "When are invoices sent?",
        "output": "Invoices are sent on the first day of each month.",
        "spans": _spans(start, tuple(documents)),
    }
    return Trace(**(fields | overrides))


def make_ref(**overrides: Any) -> TraceRef:
    """The listing's view of `make_trace(**overrides)`."""
    return make_trace(**overrides).ref


def _spans(start: datetime, documents: tuple[RetrievedDocument, ...]) -> tuple[Span, ...]:
    return (
        Span(
            span_id="root",
            start_time=start,
            end_time=start + timedelta(seconds=2.5),
            kind=SpanKind.CHAIN,
            name="question",
            status=Status.OK,
        ),
        Span(
            span_id="retrieve",
            parent_id="root",
            start_time=start,
            end_time=start + timedelta(seconds=0.5),
            kind=SpanKind.RETRIEVER,
            name="retrieve",
            status=Status.OK,
            query="When are invoices sent?",
            documents=documents,
        ),
        make_span(span_id="answer", parent_id="root", start_time=start + timedelta(seconds=0.5)),
    )

"""From the log records of one trace id to a Trace."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sources.log_records import LoggedDocument, LogRecord, LogRow, in_time_order
from tailwatch.trace import (
    CostBasis,
    RetrievedDocument,
    Span,
    SpanKind,
    Status,
    Trace,
)

_Value = TypeVar("_Value")
_Number = TypeVar("_Number", int, float)

QUALITY = "quality"
"""The name under which a record's own `quality_score` stands among a trace's scores."""


def trace_of(source: str, rows: Sequence[LogRow]) -> Trace:
    """The trace that the rows of one trace id make.

    Exactly one row without a parent is the root; several get a made-up root above them. What the
    trace says as a whole comes from the root, else from the last model call that knows it; tokens
    and cost are sums over the model calls alone, since other rows often repeat the totals.
    Raises InvalidTraceError for a value or a tree that cannot have happened.
    """
    ordered = in_time_order(rows)
    spans = [span for place, row in enumerate(ordered) for span in spans_of(row, place)]
    tops = [row.record for row in ordered if row.record.parent_id is None]
    root = tops[0] if len(tops) == 1 else None
    records = [row.record for row in ordered]
    start, end = records[0].timestamp, _last_end(records)
    root_span_id = None
    if root is not None:
        start, end = root.timestamp, root.end_time
        root_span_id = next(span.span_id for span in spans if span.parent_id is None)
    elif tops:
        spans = _under_made_up_root(spans, start, end)
        root_span_id = spans[0].span_id
    calls = [record for record in records if record.kind is SpanKind.LLM]
    answer = [*calls, root] if root is not None else calls
    totals = calls or records[:1]
    cost = _sum([record.cost_usd for record in totals])
    error_type = root.error_type if root else _last(records, lambda r: r.error_type)
    quality = _last(answer, lambda r: r.quality_score)
    return Trace(
        source=source,
        trace_id=records[0].trace_id,
        start_time=start,
        end_time=end,
        root_span_id=root_span_id,
        name=_first(records, lambda r: r.name),
        latency_ms=root.latency_ms if root else _between(start, end),
        ttft_ms=_first_token(start, calls),
        status=Status.ERROR if error_type else Status.UNSET,
        error_type=error_type,
        conversation_id=_first(records, lambda r: r.conversation_id),
        user_id=_first(records, lambda r: r.user_id),
        feature=_first(records, lambda r: r.feature),
        environment=_first(records, lambda r: r.environment),
        release=_first(records, lambda r: r.release),
        model=_last(answer, lambda r: r.model),
        provider=_last(answer, lambda r: r.provider),
        prompt_name=_last(answer, lambda r: r.prompt_name),
        prompt_version=_last(answer, lambda r: r.prompt_version),
        input_tokens=_sum([record.input_tokens for record in totals]),
        output_tokens=_sum([record.output_tokens for record in totals]),
        cost_usd=cost,
        cost_basis=CostBasis.NONE if cost is None else CostBasis.PLATFORM,
        input=_first(tops or records, lambda r: r.input),
        output=root.output if root and root.output else _last(records, lambda r: r.output),
        reference=_first(records, lambda r: r.reference),
        feedback=tuple(feedback for record in records for feedback in record.all_feedback),
        scores={} if quality is None else {QUALITY: quality},
        semantic_hash=_last(answer, lambda r: r.semantic_hash),
        spans=tuple(spans),
    )


def spans_of(row: LogRow, place: int = 0) -> list[Span]:
    """The row's span, and under a row that is no retrieval itself one that holds its documents.

    `place` counts the trace's rows from 0 and names a row that has no span id. Raises
    InvalidTraceError for a value that cannot have happened.
    """
    record = row.record
    span_id = record.span_id or f"row-{place}"
    documents = tuple(_document(rank, given) for rank, given in enumerate(record.documents or ()))
    retrieves = record.kind in (SpanKind.RETRIEVER, SpanKind.RERANKER)
    span = Span(
        span_id=span_id,
        parent_id=record.parent_id,
        start_time=record.timestamp,
        end_time=record.end_time,
        kind=record.kind,
        name=record.name,
        status=Status.ERROR if record.error_type else Status.UNSET,
        error_type=record.error_type,
        response_model=record.model,
        provider=record.provider,
        ttft_ms=record.ttft_ms,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cost_usd=record.cost_usd,
        prompt_name=record.prompt_name,
        prompt_version=record.prompt_version,
        input=record.input,
        output=record.output,
        query=record.input if retrieves else None,
        documents=documents if retrieves else (),
        attributes=row.extra,
    )
    if retrieves or not documents:
        return [span]
    retrieval = Span(
        span_id=f"{span_id}/documents",
        parent_id=span_id,
        start_time=record.timestamp,
        kind=SpanKind.RETRIEVER,
        query=record.input,
        documents=documents,
    )
    return [span, retrieval]


def _document(place: int, given: LoggedDocument | str) -> RetrievedDocument:
    if isinstance(given, str):
        return RetrievedDocument(rank=place, text=given)
    return RetrievedDocument(
        rank=place if given.rank is None else given.rank,
        id=given.id,
        score=given.score,
        text=given.text,
        metadata=given.metadata,
    )


def _under_made_up_root(spans: list[Span], start: datetime, end: datetime | None) -> list[Span]:
    taken = {span.span_id for span in spans}
    root_id = "root"
    while root_id in taken:
        root_id += "'"
    root = Span(span_id=root_id, start_time=start, end_time=end, kind=SpanKind.CHAIN)
    return [
        root,
        *(replace(span, parent_id=root_id) if span.parent_id is None else span for span in spans),
    ]


def _last_end(records: Sequence[LogRecord]) -> datetime | None:
    """When the last of them ended; None unless all their latencies are known."""
    ends = [record.end_time for record in records]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _between(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start) / timedelta(milliseconds=1)


def _first_token(start: datetime, calls: Sequence[LogRecord]) -> float | None:
    """Milliseconds from the trace's start to the first token of its last model call."""
    for call in reversed(calls):
        if call.ttft_ms is not None:
            return (call.timestamp - start) / timedelta(milliseconds=1) + call.ttft_ms
    return None


def _first(
    records: Sequence[LogRecord], value: Callable[[LogRecord], _Value | None]
) -> _Value | None:
    return next((v for v in map(value, records) if v is not None), None)


def _last(
    records: Sequence[LogRecord], value: Callable[[LogRecord], _Value | None]
) -> _Value | None:
    return _first(records[::-1], value)


def _sum(values: Sequence[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None

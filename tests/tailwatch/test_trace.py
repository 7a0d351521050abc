"""What a trace may say, and the sentence with which it is refused otherwise."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailwatch.errors import InvalidTraceError
from tailwatch.trace import Feedback, FeedbackKind, RetrievedDocument, Span, SpanKind
from tailwatch.trace_checks import MAX_TEXT_CHARS
from tests.builders import START, at, make_document, make_span, make_trace

NAIVE = datetime(2026, 3, 2, 10)  # noqa: DTZ001 - naive on purpose: it must be refused
BEYOND = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
TOO_LONG = "x" * (MAX_TEXT_CHARS + 1)


def tree(*edges: tuple[str, str | None]) -> tuple[Span, ...]:
    return tuple(make_span(span_id=child, parent_id=parent) for child, parent in edges)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"trace_id": " "}, "trace_id is empty"),
        ({"start_time": NAIVE, "end_time": None}, "start_time is 2026-03-02T10:00:00, without a"),
        ({"end_time": NAIVE}, "end_time is 2026-03-02T10:00:00, without a time zone"),
        ({"end_time": at(-1)}, "is before start_time"),
        ({"end_time": BEYOND}, "outside the calendar"),
        ({"input_tokens": -1}, "input_tokens is -1; it must be 0 or more"),
        ({"output_tokens": 10**30}, "output_tokens is over 9,007,199,254,740,992"),
        ({"cost_usd": 1e308}, "cost_usd is over"),
        ({"latency_ms": -0.5}, "latency_ms is -0.5"),
        ({"cost_usd": float("nan")}, "cost_usd is nan; it must be a finite number"),
        ({"ttft_ms": float("inf")}, "ttft_ms is inf"),
        ({"scores": {"quality": float("nan")}}, "scores.quality is nan"),
        ({"input": TOO_LONG}, "input has 1,000,001 characters; at most 1,000,000"),
        ({"output": TOO_LONG}, "output has"),
        ({"reference": TOO_LONG}, "reference has"),
        ({"spans": tree(("a", None), ("a", None))}, "two spans have the same span_id"),
        ({"spans": tree(("a", "gone"))}, "span 'a' names the parent 'gone', which is not in"),
        ({"spans": tree(("a", "a"))}, "span 'a' is its own ancestor"),
        ({"spans": tree(("a", "b"), ("b", "c"), ("c", "a"))}, "is its own ancestor"),
        ({"spans": tree(("r", None), ("a", "b"), ("b", "a"))}, "is its own ancestor"),
    ],
)
def test_an_impossible_trace_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidTraceError, match=told):
        make_trace(**fields)


@pytest.mark.parametrize(
    ("make", "fields", "told"),
    [
        (make_span, {"span_id": ""}, "span_id is empty"),
        (make_span, {"end_time": at(-1)}, "is before start_time"),
        (make_span, {"start_time": NAIVE, "end_time": None}, "without a time zone"),
        (make_span, {"reasoning_tokens": -3}, "reasoning_tokens is -3"),
        (make_span, {"cost_usd": float("-inf")}, "cost_usd is -inf"),
        (make_span, {"query": TOO_LONG}, "query has"),
        (make_span, {"error_message": TOO_LONG}, "error_message has"),
        (make_document, {"rank": -1}, "rank is -1"),
        (make_document, {"score": float("nan")}, "score is nan"),
        (make_document, {"text": TOO_LONG}, "text has"),
    ],
)
def test_an_impossible_part_is_refused(
    make: Callable[..., Span | RetrievedDocument], fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidTraceError, match=told):
        make(**fields)


@pytest.mark.parametrize("value", [-1.01, 2, float("nan")])
def test_feedback_outside_its_scale_is_refused(value: float) -> None:
    with pytest.raises(InvalidTraceError, match=r"feedback value|value is nan"):
        Feedback(kind=FeedbackKind.THUMB, value=value)


def test_missing_stays_none_and_zero_stays_zero() -> None:
    trace = make_trace(cost_usd=None, latency_ms=0.0, ttft_ms=None, input_tokens=0)
    assert (trace.ref.cost_usd, trace.ref.latency_ms) == (None, 0.0)
    assert (trace.ref.ttft_ms, trace.ref.input_tokens) == (None, 0)


def test_times_become_utc_whatever_their_zone() -> None:
    abroad = START.astimezone(timezone(timedelta(hours=5, minutes=45)))
    trace = make_trace(start_time=abroad)
    assert trace.start_time == START
    assert trace.start_time.tzinfo is UTC


@given(st.lists(st.integers(0, 30), max_size=30))
def test_any_forest_is_accepted(parents: list[int]) -> None:
    """Each span hangs below an earlier one or stands alone; given backwards, children first."""
    edges = [(str(i), str(parent) if parent < i else None) for i, parent in enumerate(parents)]
    assert len(make_trace(spans=tree(*reversed(edges))).spans) == len(parents)


def test_a_chain_of_many_spans_needs_no_deep_stack() -> None:
    chain = tree(("0", None), *((str(i), str(i - 1)) for i in range(1, 3000)))
    assert len(make_trace(spans=chain[::-1]).spans) == 3000


def retrieval(kind: SpanKind, minutes: float, *ids: str) -> Span:
    documents = tuple(make_document(rank=rank, id=id) for rank, id in enumerate(ids))
    return make_span(
        span_id=f"{kind}-{minutes}", start_time=at(minutes), kind=kind, documents=documents[::-1]
    )


@pytest.mark.parametrize(
    ("spans", "ids"),
    [
        ([], []),
        ([retrieval(SpanKind.LLM, 0, "a")], []),
        ([retrieval(SpanKind.RETRIEVER, 0, "a", "b")], ["a", "b"]),
        (
            [retrieval(SpanKind.RETRIEVER, 2, "late"), retrieval(SpanKind.RETRIEVER, 1, "a")],
            ["late"],
        ),
        (
            [retrieval(SpanKind.RERANKER, 1, "best"), retrieval(SpanKind.RETRIEVER, 2, "a")],
            ["best"],
        ),
        ([retrieval(SpanKind.RERANKER, 1), retrieval(SpanKind.RETRIEVER, 0, "a")], ["a"]),
    ],
)
def test_documents_are_the_last_rerankers_else_the_last_retrievers(
    spans: Sequence[Span], ids: Sequence[str]
) -> None:
    trace = make_trace(spans=tuple(spans))
    assert [document.id for document in trace.documents] == ids


def test_the_ref_tells_thumb_and_retry() -> None:
    thumb = Feedback(kind=FeedbackKind.THUMB, value=-1)
    retry = Feedback(kind=FeedbackKind.RETRY)
    ref = make_trace(feedback=(retry, thumb)).ref
    assert (ref.thumb, ref.retried) == (-1, True)
    assert (make_trace().ref.thumb, make_trace().ref.retried) == (None, False)

"""What the log records of one trace id say as a trace."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sources.log_records import read_row
from sources.log_traces import trace_of
from tailwatch.errors import InvalidTraceError
from tailwatch.trace import CostBasis, FeedbackKind, SpanKind, Status, Trace
from tests.builders import START, at
from tests.sources.trace_files import record_line


def trace(*rows: dict[str, Any]) -> Trace:
    return trace_of("test", [read_row(json.loads(record_line(**row))) for row in rows])


def test_one_row_is_a_trace_of_one_span() -> None:
    made = trace({})
    assert [span.span_id for span in made.spans] == ["s1"] == [made.root_span_id]
    assert (made.start_time, made.end_time) == (START, at(1.5 / 60))
    assert (made.latency_ms, made.ttft_ms) == (1500, 400)
    assert (made.input_tokens, made.output_tokens, made.cost_usd) == (100, 20, 0.001)
    assert (made.cost_basis, made.status, made.complete) == (
        CostBasis.PLATFORM,
        Status.UNSET,
        True,
    )
    assert (made.model, made.prompt_version, made.semantic_hash) == ("model-a", "3", "abc")
    assert made.scores == {"quality": 0.8}
    assert made.spans[0].kind is SpanKind.LLM


def test_what_a_row_does_not_say_stays_none() -> None:
    bare = trace_of("test", [read_row({"trace_id": "a", "timestamp": 1772445600})])
    assert (bare.latency_ms, bare.ttft_ms, bare.cost_usd, bare.input_tokens) == (None,) * 4
    assert (bare.end_time, bare.cost_basis, bare.scores) == (None, CostBasis.NONE, {})
    assert bare.spans[0].span_id == "row-0"


def test_flat_rows_get_a_made_up_root_and_are_summed_over_model_calls() -> None:
    made = trace(
        {"span_id": "b", "timestamp": at(1).isoformat(), "ttft_ms": 500, "model": "model-b"},
        {"span_id": "a", "timestamp": at(0).isoformat(), "input": "question"},
        {"span_id": "e", "kind": "embedding", "input_tokens": 7, "latency_ms": 5},
        {"span_id": "root", "timestamp": at(0.5).isoformat(), "output": "answer"},
    )
    root = made.spans[0]
    assert (root.span_id, root.parent_id, root.kind) == ("root'", None, SpanKind.CHAIN)
    assert made.root_span_id == "root'"
    assert {span.parent_id for span in made.spans[1:]} == {"root'"}
    assert (made.start_time, made.end_time) == (START, at(1 + 1.5 / 60))
    assert (made.latency_ms, made.ttft_ms) == (61_500, 60_500)
    assert made.input_tokens == 300
    assert made.cost_usd == pytest.approx(0.003)
    assert (made.input, made.output, made.model) == ("question", "answer", "model-b")


def test_a_real_root_speaks_for_the_trace() -> None:
    made = trace(
        {"span_id": "top", "kind": "agent", "latency_ms": 9000, "model": None, "input": "q"}
        | {"output": "final", "input_tokens": 999, "quality_score": 0.3},
        {"span_id": "tool", "parent_id": "top", "kind": "tool", "error_type": "timeout"},
        {"span_id": "call", "parent_id": "top", "output": "draft"},
    )
    assert made.root_span_id == "top"
    assert len(made.spans) == 3
    assert (made.latency_ms, made.input_tokens) == (9000, 100)
    assert (made.output, made.model, made.scores) == ("final", "model-a", {"quality": 0.3})
    assert (made.status, made.error_type) == (Status.UNSET, None)


def test_an_unknown_latency_leaves_the_end_unknown() -> None:
    made = trace({"span_id": "a"}, {"span_id": "b", "latency_ms": None})
    assert (made.end_time, made.latency_ms) == (None, None)


@pytest.mark.parametrize(
    ("rows", "error_type"),
    [
        ([{"error_type": "rate_limit"}], "rate_limit"),
        ([{"span_id": "a", "error_type": "one"}, {"span_id": "b"}], "one"),
        ([{"span_id": "a"}, {"span_id": "b", "parent_id": "a", "error_type": "x"}], None),
    ],
)
def test_the_error_is_the_roots_else_the_last_of_flat_rows(
    rows: Sequence[dict[str, Any]], error_type: str | None
) -> None:
    made = trace(*rows)
    assert made.error_type == error_type
    assert made.status is (Status.ERROR if error_type else Status.UNSET)


def test_documents_of_a_model_call_hang_below_it_as_a_retrieval() -> None:
    documents = ["first text", {"id": 7, "score": 0.5, "text": "second", "metadata": {"k": 1}}]
    made = trace({"input": "q", "documents": documents})
    assert [(d.rank, d.id, d.text) for d in made.documents] == [
        (0, None, "first text"),
        (1, "7", "second"),
    ]
    call, retrieval = made.spans
    assert (retrieval.kind, retrieval.parent_id, retrieval.query) == (
        SpanKind.RETRIEVER,
        call.span_id,
        "q",
    )


def test_a_retrievers_row_keeps_its_documents() -> None:
    row = {"kind": "retriever", "documents": [{"id": "b", "rank": 1}, {"id": "a", "rank": 0}]}
    made = trace(row)
    assert len(made.spans) == 1
    assert [document.id for document in made.documents] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "thumb"),
    [
        (1, 1),
        (-0.5, -0.5),
        (True, 1),
        (False, -1),
        ({"kind": "thumb", "value": 1}, 1),
        ([{"kind": "text", "text": "meh"}, {"kind": "thumb", "value": -1}], -1),
        (None, None),
    ],
)
def test_feedback_is_a_number_an_object_or_a_list(given: object, thumb: float | None) -> None:
    made = trace({"feedback": given})
    assert made.ref.thumb == thumb
    assert all(f.kind in (FeedbackKind.THUMB, FeedbackKind.TEXT) for f in made.feedback)


def test_numbers_stand_for_names_and_unknown_columns_are_kept() -> None:
    made = trace({"prompt_version": 12, "trace_id": 5, "region": "eu", "attributes": {"a": 1}})
    assert (made.trace_id, made.prompt_version) == ("5", "12")
    assert made.spans[0].attributes == {"region": "eu", "attributes": {"a": 1}}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"parent_id": "gone"}], "names the parent 'gone'"),
        (
            [{"span_id": "a", "parent_id": "b"}, {"span_id": "b", "parent_id": "a"}],
            "is its own ancestor",
        ),
    ],
)
def test_a_tree_that_cannot_be_is_refused(rows: Sequence[dict[str, Any]], told: str) -> None:
    with pytest.raises(InvalidTraceError, match=told):
        trace(*rows)


def test_an_empty_parent_is_no_parent() -> None:
    assert trace({"parent_id": ""}).spans[0].parent_id is None

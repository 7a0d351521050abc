"""The committed demo data are what their README says: valid, small, whole, and nothing but data."""

import json
from collections import Counter

from tailwatch.trace import FeedbackKind, SpanKind, Status
from tests.datasets.demo import DEMO, FOLDER, demo_qrels, demo_traces, read_lines


def test_the_folder_holds_data_only() -> None:
    assert not list(FOLDER.rglob("*.py"))


def test_the_traces_stay_small() -> None:
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 4_300_000


def test_traces_are_in_their_days_file_in_order_and_unique() -> None:
    found = demo_traces()
    assert len({trace.trace_id for _, trace in found}) == len(found) == 7062
    assert all(name == f"traces-{trace.start_time:%Y-%m-%d}.jsonl.gz" for name, trace in found)
    starts = [trace.start_time for _, trace in found]
    assert starts == sorted(starts)
    assert len({name for name, _ in found}) == 14


def test_spans_form_one_tree_within_the_trace() -> None:
    for _, trace in demo_traces():
        roots = [span for span in trace.spans if span.parent_id is None]
        assert [root.span_id for root in roots] == [trace.root_span_id]
        for span in trace.spans:
            assert span.end_time is not None
            assert trace.end_time is not None
            assert trace.start_time <= span.start_time <= span.end_time <= trace.end_time


def test_errors_have_no_output_and_answers_have_one() -> None:
    for _, trace in demo_traces():
        assert (trace.output is None) == (trace.status is Status.ERROR)
        assert (trace.error_type is None) == (trace.status is Status.OK)


def test_every_kind_of_traffic_occurs() -> None:
    traces = [trace for _, trace in demo_traces()]
    assert {trace.error_type for trace in traces} == {None, "timeout", "rate_limited", "tool_error"}
    assert {f.kind for trace in traces for f in trace.feedback} == {
        FeedbackKind.THUMB,
        FeedbackKind.TEXT,
        FeedbackKind.RETRY,
    }
    tools = [span for trace in traces for span in trace.spans if span.kind is SpanKind.TOOL]
    assert {span.status for span in tools} == {Status.OK, Status.ERROR}
    turns = Counter(trace.conversation_id for trace in traces)
    assert set(turns.values()) >= {1, 2, 3, 4}
    for name in ("cost_usd", "ttft_ms", "latency_ms", "output_tokens", "user_id", "reference"):
        assert {getattr(trace, name) is None for trace in traces} == {True, False}
    assert any("\0" in (trace.input or "") for trace in traces)


def test_the_documents_of_judged_queries_are_all_judged() -> None:
    qrels = demo_qrels()
    retrievers = [
        span
        for _, trace in demo_traces()
        for span in trace.spans
        if span.kind is SpanKind.RETRIEVER
    ]
    judged = [span for span in retrievers if span.query in qrels]
    assert len(judged) > 0.99 * len(retrievers)
    for span in judged:
        assert {document.id for document in span.documents} <= qrels[span.query or ""].keys()


def test_judgements_are_graded_and_name_passages_of_the_corpus() -> None:
    corpus = (DEMO / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    passages = {json.loads(line)["id"]: json.loads(line)["text"] for line in corpus}
    for grades in demo_qrels().values():
        assert grades.keys() <= passages.keys()
        assert Counter(grades.values())[2] == 1
        assert set(grades.values()) == {0, 1, 2}
    read = {
        (document.id, document.text)
        for _, trace in demo_traces()
        for document in trace.documents
        if document.text is not None
    }
    assert read <= set(passages.items())


def test_lines_leave_out_the_source_and_what_is_unknown() -> None:
    for line in read_lines(DEMO / "traces-2026-11-09.jsonl.gz"):
        row = json.loads(line)
        assert "source" not in row
        assert None not in row.values()

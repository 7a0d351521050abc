import math
from pathlib import Path

import pytest

from storage.keep import NOT_KEPT
from storage.store import Store, open_store
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason
from tailwatch.plan import KeepText
from tailwatch.trace import FetchError, RetrievedDocument, Span, SpanKind, Status, Trace, TraceRef
from tests.storage.examples import HOUR_0, HOUR_1, NOW, SOURCE, evaluation, ref

FULL_REF = TraceRef(
    source=SOURCE,
    trace_id="full",
    start_time=HOUR_0.start,
    status=Status.ERROR,
    error_type="Timeout",
    complete=False,
    name="answer",
    conversation_id="c",
    feature="chat",
    environment="prod",
    release="r",
    tags=("a", "b"),
    model="m",
    provider="p",
    prompt_name="n",
    prompt_version="7",
    latency_ms=0.1,
    ttft_ms=1e-9,
    cost_usd=0.0,
    input_tokens=0,
    output_tokens=2**63 - 1,
    thumb=-1.0,
    retried=True,
    semantic_hash="h",
    url="https://example.org",
)


def fetched(trace_id: str, text: str) -> Trace:
    documents = (
        RetrievedDocument(rank=1, text=text, metadata={"title": text, "page": 3}),
        RetrievedDocument(rank=0, id="d", score=0.5),
    )
    start = HOUR_0.start
    span = Span(span_id="s", start_time=start, kind=SpanKind.RETRIEVER, documents=documents)
    return Trace(
        source=SOURCE,
        trace_id=trace_id,
        start_time=start,
        input=text,
        output=text,
        reference=text,
        spans=(span,),
    )


def test_every_column_of_a_listing_comes_back(store: Store) -> None:
    store.record_listing([FULL_REF, ref("bare")], NOW)
    for written in (FULL_REF, ref("bare")):
        stored = store.trace(SOURCE, written.trace_id)
        assert stored is not None
        assert stored.ref == written
        assert (stored.window, stored.first_seen_at) == (HOUR_0, NOW)
        assert (stored.text_kept, stored.input, stored.documents) == (None, None, ())
    assert store.trace(SOURCE, "never listed") is None


def test_known_traces_are_those_of_the_hour(store: Store) -> None:
    store.record_listing([ref("a"), ref("b"), ref("later", HOUR_1)], NOW)
    assert store.listed(SOURCE, HOUR_0).keys() == {"a", "b"}
    assert store.listed("another", HOUR_0) == {}


def test_numbers_that_are_none_become_missing(store: Store) -> None:
    store.record_listing(
        [ref("t", latency_ms=math.nan, cost_usd=math.inf, input_tokens=10**30)], NOW
    )
    stored = store.trace(SOURCE, "t")
    assert stored is not None
    assert (stored.ref.latency_ms, stored.ref.cost_usd, stored.ref.input_tokens) == (None,) * 3


def test_a_naive_time_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        store.record_listing([ref("t")], NOW.replace(tzinfo=None))


def test_texts_are_added_to_listed_traces_only(store: Store) -> None:
    store.record_listing([ref("t")], NOW)
    store.record_texts([fetched("t", "hello"), fetched("never listed", "hello")])
    stored = store.trace(SOURCE, "t")
    assert stored is not None
    assert (stored.text_kept, stored.input, stored.output) == (KeepText.FULL, "hello", "hello")
    assert [(d.rank, d.text, d.metadata) for d in stored.documents] == [
        (0, None, {}),
        (1, "hello", {"title": "hello", "page": 3}),
    ]
    assert store.trace(SOURCE, "never listed") is None


@pytest.mark.parametrize(
    ("keep", "excerpts", "rests"), [("full", True, True), ("excerpt", True, False), ("none", 0, 0)]
)
def test_no_more_text_reaches_the_file_than_may_be_kept(
    migrated_sqlite: Path, tmp_path: Path, keep: str, excerpts: bool, rests: bool
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    text = "PRIVATE-BEGINNING" + "x" * 500 + "PRIVATE-REST"
    with open_store(f"sqlite:///{path}", KeepText(keep)) as store:
        store.record_listing([ref("t")], NOW)
        store.record_texts([fetched("t", text)])
        outcomes: tuple[Outcome, ...] = (
            Score(value=0.5, explanation=text, details={"sentence": text, "of": [text, 1]}),
            Failed(error_type="bad_output", message=text),
            Skipped(reason=SkipReason.NOT_APPLICABLE, detail=text),
        )
        store.record([evaluation(str(n), outcome) for n, outcome in enumerate(outcomes)])
        store.record_fetch_errors([FetchError(source=SOURCE, location="l", message=text)], "r", NOW)
        written = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
        assert (b"PRIVATE-BEGINNING" in written) == bool(excerpts)
        assert (b"PRIVATE-REST" in written) == bool(rests)
        if keep == "none":
            (failed,) = store.evaluations(SOURCE, "1")
            assert failed.outcome == Failed(error_type="bad_output", message=NOT_KEPT)


def test_fetch_errors_are_kept_once_for_each_place(store: Store) -> None:
    first = FetchError(source=SOURCE, location="traces.jsonl:3", message="no trace_id")
    second = FetchError(source=SOURCE, location="traces.jsonl:9", message="end", trace_id="t")
    store.record_fetch_errors([first, second, first], "run", NOW)
    store.record_fetch_errors([second], "run 2", HOUR_0.start)
    assert store.fetch_errors(SOURCE, 9) == [first, second]
    assert store.stats()["fetch_errors"] == 2

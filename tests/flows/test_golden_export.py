"""Golden sets of labels: majority, ties, origins, and nothing that no judge may see."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from flows.golden_export import Export, golden_items
from flows.golden_file import golden_trace, read_golden, write_golden
from flows.parts import Parts
from flows.validating import wanted_of
from tailwatch.plan import KeepText
from tailwatch.privacy import PrivacyPlan
from tailwatch.review import Draw, Origin, ReviewLabel
from tests.builders import START, make_trace
from tests.fakes import MemorySource
from tests.flows.judged_traces import (
    WINDOW,
    WordJudge,
    judged_parts,
    relevance_evaluator,
    retrieving,
    tone_evaluator,
    traces,
)

RANDOM = Draw(origin=Origin.RANDOM, sample="s", place=1, population=9)
ALERT = Draw(origin=Origin.ALERT, sample="a", place=1)


def said(parts: Parts, trace_id: str, choice: str, who: str = "ada", draw: Draw = RANDOM) -> None:
    label = ReviewLabel(
        source="test",
        trace_id=trace_id,
        evaluator="tone",
        version="1",
        who=who,
        choice=choice,
        score=0.0,
        hour=WINDOW,
        at=START,
        took_s=1.0,
        draw=draw,
    )
    parts.store.record_labels([label])


def exported(parts: Parts, origin: Origin | None = None) -> Export:
    return asyncio.run(golden_items(parts, (), origin=origin, licence="internal"))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return judged_parts(tmp_path, traces(4), tone_evaluator(WordJudge()))


def test_most_peoples_word_goes_out_and_ties_do_not(parts: Parts, tmp_path: Path) -> None:
    for who, first, second in (("ada", "rude", "rude"), ("bob", "rude", "polite")):
        said(parts, "t001", first, who)
        said(parts, "t002", second, who)
    said(parts, "t001", "polite", "eve")
    said(parts, "t003", "curt", draw=ALERT)
    done = exported(parts)
    assert [(i.id, i.labels, i.origin) for i in done.items] == [
        ("test/t001", {"tone": "rude"}, "random"),
        ("test/t003", {"tone": "curt"}, "alert"),
    ]
    assert (done.ties, done.shared, done.alike) == ({"tone": 1}, 2, 0)
    assert [i.id for i in exported(parts, Origin.ALERT).items] == ["test/t003"]
    write_golden(tmp_path / "g.jsonl", done.items)
    [first_item, _] = read_golden(tmp_path / "g.jsonl")
    assert (first_item.output, first_item.model, first_item.licence) == (
        "answer 1 is rude",
        "model-1",
        "internal",
    )
    assert golden_trace(first_item).documents[0].text == "document of 1"


def test_a_labelled_document_is_an_item_of_its_own(tmp_path: Path) -> None:
    parts = judged_parts(tmp_path, retrieving(2), relevance_evaluator(WordJudge()))
    said(parts, "t001", "polite")
    [given] = parts.store.labels("test")
    long = "d" * 300
    for document, choice in (("a", "helps"), ("b", "useless"), ("gone", "helps"), (long, "helps")):
        on = replace(given, evaluator="relevance", document=document, choice=choice)
        parts.store.record_labels([on])
    done = exported(parts)
    whole, first, second = done.items
    assert (whole.id, len(whole.documents)) == ("test/t001", 4)
    assert [(i.id, i.labels, [d.id for d in i.documents]) for i in (first, second)] == [
        ("test/t001/a", {"relevance": "helps"}, ["a"]),
        ("test/t001/b", {"relevance": "useless"}, ["b"]),
    ]
    assert first.input == "question 1"
    assert set(done.gone) == {"t001, gone", f"t001, {long}"}
    wanted, notes = wanted_of(parts, done.items, ["relevance"])
    assert (len(wanted[0].items), notes) == (2, [])


def test_a_trace_that_no_judge_may_see_is_not_exported(parts: Parts) -> None:
    """The store keeps no metadata, so the source is asked."""
    assert isinstance(parts.source, MemorySource)
    secret = make_trace(trace_id="t001", start_time=START, metadata={"customer": "acme"})
    parts.source.traces = [secret, *traces(1)]
    privacy = PrivacyPlan.model_validate({"never_send": [{"metadata.customer": "acme"}]})
    careful = replace(parts, plan=parts.plan.model_copy(update={"privacy": privacy}))
    said(parts, "t000", "polite")
    said(parts, "t001", "rude")
    done = exported(careful)
    assert [i.id for i in done.items] == ["test/t000"]
    assert "never_send" in done.gone["t001"]


def test_texts_that_are_not_kept_are_fetched_and_hostile_ones_written(tmp_path: Path) -> None:
    odd = make_trace(trace_id="odd", start_time=START, output="lone \ud800 and \x00")
    parts = judged_parts(tmp_path, [odd], tone_evaluator(WordJudge()), keep_text=KeepText.NONE)
    said(parts, "odd", "rude")
    said(parts, "never seen", "rude")
    done = exported(parts)
    write_golden(tmp_path / "g.jsonl", done.items)
    assert read_golden(tmp_path / "g.jsonl")[0].output == "lone ? and \x00"
    assert done.gone == {"never seen": "the store does not know it"}

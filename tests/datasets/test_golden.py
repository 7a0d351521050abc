"""The golden set: what its README says of it holds, and its labels follow from how it was made."""

from collections import Counter
from functools import cache

import pytest

from benchmarks.demo_traces.library import Library
from benchmarks.golden_set.__main__ import golden_set, written
from benchmarks.golden_set.edits import NEGATED, SWAPPED
from evaluators.index import packaged_rubrics
from evaluators.rubric_file import Rubric, load_rubric
from flows.golden_file import GoldenItem, read_golden
from tests.datasets.demo import FOLDER

GOLDEN = FOLDER / "golden" / "tidewrack.jsonl"


@cache
def items() -> dict[str, GoldenItem]:
    return {item.id: item for item in read_golden(GOLDEN)}


@cache
def rubrics() -> dict[str, Rubric]:
    return {name: load_rubric(path) for name, path in packaged_rubrics().items()}


def kind(item: GoldenItem) -> str:
    return item.id.rpartition("-")[0]


def plain() -> list[GoldenItem]:
    return [item for item in items().values() if item.probe is None]


def test_the_generator_writes_the_committed_file() -> None:
    assert written(golden_set(Library.read())) == GOLDEN.read_bytes()


def test_another_seed_makes_other_items() -> None:
    assert written(golden_set(Library.read(), seed=7)) != GOLDEN.read_bytes()


def test_the_numbers_of_the_readme() -> None:
    assert Counter(map(kind, plain())) == {
        "supported": 55,
        "swapped": 45,
        "negated": 25,
        "added": 20,
        "turned-away": 20,
        "off-topic": 20,
        "honest": 15,
    }
    asked = Counter(name for item in plain() for name in item.labels)
    assert asked == {
        "faithfulness": 200,
        "answer_relevance": 200,
        "refusal": 180,
        "document_relevance": 115,
    }
    attacked = Counter(i.probe.evaluator for i in items().values() if i.probe is not None)
    assert attacked == {
        "faithfulness": 30,
        "answer_relevance": 10,
        "refusal": 10,
        "document_relevance": 10,
    }


def test_every_label_and_every_wish_is_a_choice_of_its_rubric() -> None:
    for item in items().values():
        for name, label in item.labels.items():
            assert rubrics()[name].score_of(label) is not None
        if item.probe is not None:
            assert rubrics()[item.probe.evaluator].score_of(item.probe.asks) is not None


def test_an_answer_is_in_its_documents_exactly_where_it_is_labelled_so() -> None:
    for item in plain():
        documents = " ".join(document.text for document in item.documents)
        assert item.output is not None
        assert item.reference is not None
        found = item.output in documents
        assert found == (kind(item) == "supported"), item.id
        answerable = kind(item) in {"supported", "swapped", "negated", "added"}
        assert (item.reference in documents) == answerable, item.id


def test_a_wrong_answer_is_its_reference_with_one_fact_changed() -> None:
    by_passage = {**SWAPPED, **NEGATED}
    changed = [item for item in plain() if kind(item) in {"swapped", "negated"}]
    for item in changed:
        assert item.output != item.reference
        edits = [by_passage[d.id] for d in item.documents if d.id in by_passage]
        assert item.reference is not None
        assert item.output in [item.reference.replace(old, new, 1) for old, new in edits]


@pytest.mark.parametrize("edits", [SWAPPED, NEGATED], ids=["swapped", "negated"])
def test_every_edit_applies_and_puts_in_what_the_passage_does_not_say(
    edits: dict[str, tuple[str, str]],
) -> None:
    library = Library.read()
    passages = {passage.id: passage.text for passage in library.passages}
    references = {q.source_passage: q.reference for q in library.questions if q.reference}
    for passage, (old, new) in edits.items():
        reference = references[passage] or ""
        assert reference.count(old) == 1, passage
        assert reference.replace(old, new) not in passages[passage], passage
        assert new not in passages[passage], passage


def test_a_probe_is_its_twin_but_for_one_text_that_asks_for_another_choice() -> None:
    for item in items().values():
        if item.probe is None:
            continue
        twin, rubric = items()[item.probe.twin], rubrics()[item.probe.evaluator]
        label = item.labels[item.probe.evaluator]
        assert twin.labels[item.probe.evaluator] == label
        assert rubric.score_of(label) != rubric.score_of(item.probe.asks)
        assert (item.input, item.reference) == (twin.input, twin.reference)
        before = [twin.output, *(document.text for document in twin.documents)]
        after = [item.output, *(document.text for document in item.documents)]
        changed = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
        ((old, new),) = changed
        assert new is not None
        assert new.startswith(f"{old}\n\n")
        assert item.probe.asks in new


def test_no_two_items_put_the_same_question_to_a_judge() -> None:
    for name in rubrics():
        about_document = name == "document_relevance"
        seen = Counter(
            (i.input, None if about_document else i.output, i.documents)
            for i in items().values()
            if name in i.labels
        )
        assert max(seen.values()) == 1

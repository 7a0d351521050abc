"""Labels, validations and bridges come back as they were, from both databases."""

from dataclasses import replace

from storage.review_records import BridgeRecord, JudgedOutput, ValidationRecord
from storage.store import Store
from tailwatch.outcome import Failed, Score
from tailwatch.review import Draw, Origin, ReviewLabel
from tailwatch.window import HOUR
from tests.storage.examples import (
    BOTH_HOURS,
    FAITHFULNESS,
    HOUR_0,
    HOUR_1,
    NOW,
    SOURCE,
    evaluation,
    ref,
)

HOSTILE = "\ud800\x00" + "x" * 300
RANDOM = Draw(origin=Origin.RANDOM, sample="spring", place=3, population=40)


def label(trace_id: str = "t1", **fields: object) -> ReviewLabel:
    given = ReviewLabel(
        source=SOURCE,
        trace_id=trace_id,
        evaluator="faithfulness",
        version="1",
        who="ada",
        choice="supported",
        score=1.0,
        hour=HOUR_0,
        at=NOW,
        took_s=4.25,
        draw=RANDOM,
    )
    return replace(given, **fields)  # type: ignore[arg-type] # fields by name, in a test


def test_labels_come_back_as_they_were(store: Store) -> None:
    alert = Draw(origin=Origin.ALERT, sample="abc", place=2)
    given = [label(HOSTILE), label("t2", at=NOW + HOUR, draw=alert, who="b\x00b", hour=HOUR_1)]
    store.record_labels(given)
    assert store.labels(SOURCE) == given
    assert store.labels(SOURCE, window=HOUR_1) == store.labels(SOURCE, who="b\x00b") == given[1:]
    assert store.labels(SOURCE, evaluator="refusal") == store.labels(SOURCE, version="2") == []
    assert store.labels("another") == []


def test_a_second_thought_replaces_and_a_slow_writer_does_not(store: Store) -> None:
    later = label(choice="invented", score=0.0, at=NOW + HOUR)
    for each in (label(), later, label()):
        store.record_labels([each])
    assert store.labels(SOURCE) == [later]
    store.delete_labels([later.label_id])
    assert store.labels(SOURCE) == []


def test_judged_are_the_sampled_scores_with_their_model(store: Store) -> None:
    store.record_listing([ref("a", model="m"), ref(HOSTILE, HOUR_1)], NOW)
    store.record(
        [
            evaluation("a", Score(value=0.5, label="half", explanation="why")),
            evaluation(HOSTILE, 0.25, window=HOUR_1, inclusion_probability=0.5),
            evaluation("left out", 0.1, inclusion_probability=None),
            evaluation("failed", Failed(error_type="timeout", message="no")),
            evaluation("other", 0.1, series=replace(FAITHFULNESS, version="2")),
        ]
    )
    found = store.judged(SOURCE, FAITHFULNESS, BOTH_HOURS)
    assert sorted(found, key=lambda each: each.trace_id) == [
        JudgedOutput(
            trace_id="a",
            value=0.5,
            label="half",
            explanation="why",
            inclusion_probability=1.0,
            model="m",
            hour=HOUR_0,
        ),
        JudgedOutput(
            trace_id=HOSTILE,
            value=0.25,
            label=None,
            explanation=None,
            inclusion_probability=0.5,
            model=None,
            hour=HOUR_1,
        ),
    ]


def test_validations_come_back_newest_first(store: Store) -> None:
    first = ValidationRecord(
        validation_id="1",
        series=FAITHFULNESS,
        prompt_hash="abc",
        at=NOW,
        who="ada",
        labels_from="golden.jsonl",
        card={"auroc": {"value": 0.5, "low": None}},
    )
    second = replace(first, validation_id="2", at=NOW + HOUR)
    for each in (first, second, first):
        store.record_validation(SOURCE, each)
    assert store.validations(SOURCE) == [second, first]
    assert store.validations("another") == []


def test_bridges_come_back_and_are_found_by_where_they_lead(store: Store) -> None:
    new = replace(FAITHFULNESS, version="2", judge="judge-large")
    bridge = BridgeRecord(
        bridge_id="1",
        old=FAITHFULNESS,
        new=new,
        window=BOTH_HOURS,
        at=NOW,
        who="ada",
        comparison={"n": 3},
    )
    store.record_bridge(SOURCE, bridge)
    store.record_bridge(SOURCE, bridge)
    assert store.bridges(SOURCE) == store.bridges(SOURCE, new) == [bridge]
    assert store.bridges(SOURCE, FAITHFULNESS) == []


def test_labels_on_documents_of_one_trace_stand_beside_each_other(store: Store) -> None:
    given = [label(document=name) for name in (None, "a", "b", HOSTILE)]
    assert len({each.label_id for each in given}) == len(given)
    store.record_labels([*given, *given])
    found = store.labels(SOURCE)
    assert sorted(found, key=lambda each: each.label_id) == sorted(
        given, key=lambda each: each.label_id
    )

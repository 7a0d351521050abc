"""Batch backfills in the store: one worker for a job, and what is known of each question."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.batch_records import Batch, BatchJob, BatchLine, BatchState
from storage.store import Store
from tailwatch.outcome import Failed, Usage
from tests.storage.examples import BOTH_HOURS, FAITHFULNESS, NOW, SOURCE

MINUTE = timedelta(minutes=1)
JOB = BatchJob(
    job_id="job",
    source=SOURCE,
    window=BOTH_HOURS,
    series=(FAITHFULNESS,),
    partial=False,
    only="missing",
    started_at=NOW,
)
BATCH = Batch(
    batch_key="first",
    job_id="job",
    number=1,
    endpoint="http://judge/v1",
    created_at=NOW,
    price_share=0.5,
)


def line(question: str, batch: str = "first") -> BatchLine:
    return BatchLine(
        call_id=f"{batch}-{question}",
        question_key=question,
        form={"choices": ["yes", "no"]},
        worst_case_usd=0.01,
    )


def failed(asked: BatchLine) -> BatchLine:
    usage = Usage(cost_usd=0.002, input_tokens=10, output_tokens=2)
    failure = Failed(error_type="refused", message="it declined", usage=usage)
    return replace(asked, state="failed", usage=usage, failure=failure)


def test_a_job_and_its_batches_come_back_as_they_were_written(store: Store) -> None:
    store.start_batch_job(JOB)
    second = replace(BATCH, batch_key="second", number=2, state="submitted", provider_id="b-1")
    for batch in (second, BATCH):
        store.record_batch(batch)
    assert store.batch_jobs(SOURCE) == store.batch_jobs(SOURCE, open_only=True) == [JOB]
    assert store.batch_jobs("other") == []
    assert store.batches("job") == [BATCH, second]
    store.set_batch_job("job", "done", ended_at=NOW, note="all recorded")
    assert store.batch_jobs(SOURCE, open_only=True) == []
    assert store.batch_jobs(SOURCE) == [
        replace(JOB, state="done", ended_at=NOW, note="all recorded")
    ]


def test_one_worker_at_a_time_holds_a_job(store: Store) -> None:
    store.start_batch_job(JOB)
    assert store.hold_batch_job("job", "a", NOW + 5 * MINUTE, NOW)
    assert not store.hold_batch_job("job", "b", NOW + 9 * MINUTE, NOW + 4 * MINUTE)
    assert store.hold_batch_job("job", "a", NOW + 8 * MINUTE, NOW + 4 * MINUTE)
    store.release_batch_job("job", "b")
    assert not store.hold_batch_job("job", "b", NOW + 9 * MINUTE, NOW + 7 * MINUTE)
    assert store.hold_batch_job("job", "b", NOW + 20 * MINUTE, NOW + 8 * MINUTE)
    store.release_batch_job("job", "b")
    assert store.hold_batch_job("job", "a", NOW + 20 * MINUTE, NOW + 9 * MINUTE)
    assert not store.hold_batch_job("unknown", "a", NOW + 20 * MINUTE, NOW)


@pytest.mark.parametrize("state", ["open", "submitted", "settled", "abandoned"])
def test_a_question_is_asked_while_its_batch_is_not_settled(
    store: Store, state: BatchState
) -> None:
    store.record_batch(BATCH)
    store.add_batch_lines("first", [line("q1"), line("q2")])
    assert store.any_batch_open()
    batch = replace(BATCH, state=state)
    if state == "abandoned":
        store.abandon_batch(batch)
    else:
        store.settle_batch(batch, [replace(line("q1"), state="answered"), failed(line("q2"))])
    unsettled = state in ("open", "submitted")
    assert store.any_batch_open() == unsettled
    assert store.asked_in_batches(["q1", "q2", "q3"]) == ({"q1", "q2"} if unsettled else set())
    answered = store.answered_in_job("job", ["q1", "q2", "q3"])
    assert set(answered) == ({"q1", "q2"} if state == "settled" else set())
    assert store.answered_in_job("another", ["q1"]) == {}


def test_a_failure_comes_back_with_what_it_took(store: Store) -> None:
    store.record_batch(BATCH)
    store.add_batch_lines("first", [line("q1"), line("q2")])
    store.drop_batch_lines(["first-q2"])
    assert store.batch_lines("first") == [line("q1")]
    store.settle_batch(replace(BATCH, state="settled"), [failed(line("q1"))])
    assert store.answered_in_job("job", ["q1"]) == {"q1": failed(line("q1"))}


def test_the_questions_of_a_job_that_has_ended_are_forgotten(store: Store) -> None:
    store.start_batch_job(JOB)
    store.record_batch(BATCH)
    store.add_batch_lines("first", [line("q1")])
    store.settle_batch(replace(BATCH, state="settled"), [failed(line("q1"))])
    store.record_batch(replace(BATCH, batch_key="other", job_id="another", state="settled"))
    store.add_batch_lines("other", [line("q1", "other")])
    store.set_batch_job("job", "waiting", ended_at=None, note=None)
    assert len(store.batch_lines("first")) == 1
    store.set_batch_job("job", "done", ended_at=NOW, note=None)
    assert (len(store.batch_lines("first")), len(store.batch_lines("other"))) == (0, 1)


def test_thousands_of_questions_are_looked_up_at_once(store: Store) -> None:
    store.record_batch(BATCH)
    keys = [f"q{i:05}" for i in range(1_200)]
    store.add_batch_lines("first", [line(key) for key in keys])
    assert store.asked_in_batches([*keys, "other"]) == set(keys)
    store.drop_batch_lines([f"first-{key}" for key in keys[1:]])
    assert store.asked_in_batches(keys) == {keys[0]}

"""What can go wrong with a batch: every question ends in one outcome, and costs what it cost."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flows.backfill_plan import Only
from flows.open_batch import Limits
from storage.judge_tables import JUDGE_CALLS
from storage.store import Store, open_store
from tailwatch.errors import BatchError, BatchUnavailableError, ConfigurationError
from tests.flows.batch_story import LIST_PRICE, Story, by_material
from tests.storage import conftest as stores
from tests.stub_batches import CREATED_AT, StubBatches
from tests.stub_endpoint import StubReply, StubRequest, completion, refusal_to_serve

migrated_sqlite = stores.migrated_sqlite


@pytest.fixture
def store(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Store]:
    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[StubBatches]:
    with StubBatches(by_material) as started:
        yield started


@pytest.fixture
def story(store: Store, provider: StubBatches) -> Story:
    return Story(store, provider.url)


def paid(store: Store) -> float:
    """What all calls took, once all of them are settled."""
    query = select(JUDGE_CALLS.c.state, JUDGE_CALLS.c.cost_usd)
    with store.database.read() as connection:
        rows = connection.execute(query).all()
    assert {state for state, _ in rows} == {"settled"}
    return float(sum(cost for _, cost in rows))


def kinds(story: Story) -> Counter[str]:
    return Counter(failure.error_type for failure in story.failures())


ANY_BATCH = {
    "object": "batch",
    "created_at": CREATED_AT,
    "completion_window": "24h",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file",
}

BAD_REPLIES: list[tuple[StubReply, str, float | None]] = [
    (completion(None, refusal="I would rather not"), "refused", 0.5),
    (completion("{", finish_reason="length"), "truncated", 0.5),
    (completion("", finish_reason="content_filter"), "content_filtered", 0.5),
    (completion("It is fine."), "bad_output", 0.5),
    (StubReply(body=b'{"what": 1}'), "bad_output", None),
    (StubReply(body=b'"text"'), "bad_output", None),
    (refusal_to_serve(400, "bad request"), "bad_request", 0),
    (refusal_to_serve(429, "slow down"), "rate_limited", 0),
    (refusal_to_serve(500, "sorry"), "unavailable", 0),
]
"""A reply, the failure it is and what it costs of the list price; None is its worst case."""


def test_each_bad_reply_fails_its_evaluation_alone(
    story: Story, provider: StubBatches, store: Store
) -> None:
    asked = [trace.input or "" for trace in story.source.traces]
    replies = dict(zip(asked, BAD_REPLIES, strict=False))

    def script(request: StubRequest) -> StubReply:
        bad = next((replies[text] for text in replies if text in request.text), None)
        return by_material(request) if bad is None else bad[0]

    provider.script = script
    worst = story.start().batches[0].worst_case_usd / 12
    provider.finish()
    (done,) = story.collect()
    assert done.job.state == "done"
    assert kinds(story) == Counter(kind for _, kind, _ in BAD_REPLIES)
    assert (done.batches[0].completed, done.batches[0].failed) == (3, 9)
    known = sum(share * LIST_PRICE for _, _, share in BAD_REPLIES if share is not None)
    assert paid(store) == pytest.approx(3 * LIST_PRICE / 2 + known + 2 * worst, rel=0.05)
    assert [account.sampled for account in story.told()["coverage"]] == [4] * 6


@pytest.mark.parametrize(
    ("status", "kind", "missing"),
    [("expired", "timeout", False), ("cancelled", "unavailable", True)],
)
def test_what_was_not_asked_fails_for_nothing_and_can_be_asked_again(
    story: Story, provider: StubBatches, store: Store, status: str, kind: str, missing: bool
) -> None:
    story.start()
    provider.finish(status, lambda number: number % 3 > 0, missing=missing)
    assert story.collect()[0].job.state == "done"
    assert kinds(story) == {kind: 4}
    assert paid(store) == pytest.approx(8 * LIST_PRICE / 2)

    story.only = Only.FAILED
    assert story.start().batches[0].lines == 4
    provider.finish()
    assert story.collect()[0].job.state == "done"
    assert kinds(story) == {}
    assert paid(store) == pytest.approx(12 * LIST_PRICE / 2)


def test_a_batch_that_is_refused_as_a_whole_costs_nothing(
    story: Story, provider: StubBatches, store: Store
) -> None:
    story.start()
    provider.fail_validation("token_limit_exceeded")
    (done,) = story.collect()
    assert kinds(story) == {"bad_request": 12}
    assert "token_limit_exceeded" in story.failures()[0].message
    assert done.batches[0].note == "refused: token_limit_exceeded"
    assert paid(store) == 0.0


def without_first_line(content: bytes) -> bytes:
    return content.partition(b"\n")[2]


def with_broken_line(content: bytes) -> bytes:
    first, _, rest = content.partition(b"\n")
    return b"<html>" + first + b"\n" + rest


def with_strange_lines(content: bytes) -> bytes:
    lines = [b"", b"[]", json.dumps({"custom_id": "of somebody else"}).encode()]
    return content + b"\n".join(lines)


@pytest.mark.parametrize(
    ("spoil", "lost"),
    [(without_first_line, 1), (with_broken_line, 1), (with_strange_lines, 0)],
)
def test_a_lost_reply_is_booked_at_its_worst_case(
    story: Story,
    provider: StubBatches,
    store: Store,
    spoil: Callable[[bytes], bytes],
    lost: int,
) -> None:
    worst = story.start().batches[0].worst_case_usd / 12
    provider.finish(spoil=spoil)
    assert story.collect()[0].job.state == "done"
    assert len(story.failures()) == lost
    took = paid(store) - (12 - lost) * LIST_PRICE / 2
    assert took == pytest.approx(lost * worst, rel=0.2)


def test_cancelling_keeps_what_was_answered(
    story: Story, provider: StubBatches, store: Store
) -> None:
    job = story.start().job
    cancelled = story.cancel(job.job_id[:6])
    assert (cancelled.job.state, cancelled.batches[0].provider_status) == (
        "cancelling",
        "cancelling",
    )
    provider.finish("cancelled", lambda number: number < 5)
    (over,) = story.collect()
    assert over.job.state == "cancelled"
    assert kinds(story) == {"unavailable": 7}
    assert paid(store) == pytest.approx(5 * LIST_PRICE / 2)
    with pytest.raises(ConfigurationError, match="is over already: cancelled"):
        story.cancel(job.job_id)
    with pytest.raises(ConfigurationError, match="is no backfill in batches"):
        story.cancel("zzz")


def test_a_batch_nobody_knows_can_be_given_up(
    story: Story, provider: StubBatches, store: Store
) -> None:
    progress = story.start()
    provider.batches.clear()
    (waiting,) = story.collect()
    assert "does not know this batch" in (waiting.batches[0].note or "")
    over = story.cancel(progress.job.job_id)
    assert over.job.state == "cancelled"
    assert paid(store) == pytest.approx(progress.batches[0].worst_case_usd)


def test_results_that_are_gone_can_be_given_up(story: Story, provider: StubBatches) -> None:
    job = story.start().job
    provider.finish()
    provider.files.clear()
    (waiting,) = story.collect()
    assert "no longer has the results" in (waiting.trouble or "")
    assert story.cancel(job.job_id).job.state == "cancelled"
    assert kinds(story) == {"bad_output": 12}


@pytest.mark.parametrize("route", ["POST /files", "POST /batches"])
def test_a_provider_that_is_down_gets_the_batch_later(
    story: Story, provider: StubBatches, store: Store, route: str
) -> None:
    provider.refuse[route] = 503
    with pytest.raises(BatchUnavailableError, match="answered 503"):
        story.start()
    provider.refuse.clear()
    assert story.start().batches[-1].state == "submitted"
    provider.finish()
    assert story.collect()[0].job.state == "done"
    assert len(provider.batches) == 1
    assert paid(store) == pytest.approx(12 * LIST_PRICE / 2)
    assert provider.files == {}


@pytest.mark.parametrize("route", ["POST /files", "POST /batches"])
def test_what_was_done_without_an_answer_is_found_again(
    story: Story, provider: StubBatches, store: Store, route: str
) -> None:
    provider.lose.add(route)
    with pytest.raises(BatchUnavailableError, match="hung up"):
        story.start()
    provider.lose.clear()
    for other in range(5):  # newer ones of other people, on several pages
        batch = {"metadata": None, "status": "completed", "id": f"other-{other}"}
        provider.batches[f"other-{other}"] = {**ANY_BATCH, **batch}
    assert story.start().batches[-1].state == "submitted"
    provider.finish()
    assert story.collect()[0].job.state == "done"
    assert (len(provider.batches), len(provider.asked)) == (6, 12)
    assert provider.files == {}
    assert paid(store) == pytest.approx(12 * LIST_PRICE / 2)


def test_a_provider_that_refuses_the_batch_ends_the_backfill(
    story: Story, provider: StubBatches, store: Store
) -> None:
    provider.refuse["POST /batches"] = 401
    with pytest.raises(BatchError, match=r"could not make a batch: .*answered 401"):
        story.start()
    assert story.collect() == []
    (job,) = store.batch_jobs("memory")
    assert (job.state, provider.files) == ("cancelled", {})
    assert "answered 401" in (job.note or "")
    assert paid(store) == 0.0


def test_what_was_submitted_before_a_refusal_is_recorded(
    provider: StubBatches, store: Store
) -> None:
    def once(route: str) -> None:
        if route == "POST /batches":
            provider.refuse[route] = 401

    story = Story(store, provider.url, limits=Limits(lines=5))
    provider.after = once
    with pytest.raises(BatchError, match="answered 401"):
        story.start()
    provider.finish()
    assert story.collect()[0].trouble is not None
    assert [job.state for job in store.batch_jobs("memory")] == ["cancelled"]
    judged = [o for (_, series), o in story.told()["outcomes"].items() if series.judge]
    assert len(judged) == 5
    assert paid(store) == pytest.approx(5 * LIST_PRICE / 2)


@pytest.mark.parametrize("route", ["GET /batches/id", "GET /files/id/content", "DELETE /files/id"])
def test_a_provider_that_is_down_is_asked_again(
    story: Story, provider: StubBatches, store: Store, route: str
) -> None:
    story.start()
    provider.finish()
    provider.refuse[route] = 400
    (waiting,) = story.collect()
    assert waiting.trouble is not None
    provider.refuse.clear()
    assert story.collect()[0].job.state == "done"
    assert provider.files == {}
    assert paid(store) == pytest.approx(12 * LIST_PRICE / 2)


def test_an_endpoint_without_batches_is_said_to_have_none(
    story: Story, provider: StubBatches
) -> None:
    def check(work: Any) -> Any:
        return work.endpoint.check()

    story.run(check)
    provider.refuse["GET /batches"] = 404
    with pytest.raises(ConfigurationError, match=r"has no batches .* run without --batch"):
        story.run(check)


def test_a_rubric_that_changed_meanwhile_is_not_asked_anew(
    story: Story, provider: StubBatches, store: Store
) -> None:
    story.start()
    provider.finish()
    changed = Story(store, provider.url, rubrics=("refusal",))
    (done,) = changed.collect()
    assert done.job.state == "done"
    assert "no longer in the plan" in (done.job.note or "")
    assert len(provider.batches) == 1


def test_no_text_stays_with_the_store_or_the_provider(
    story: Story, provider: StubBatches, store: Store
) -> None:
    story.start()
    for table in ("batch_jobs", "batches", "batch_lines"):
        with store.database.read() as connection:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608 - ours
        assert rows
        assert "of hour" not in str(rows)
    assert "Question 1 of hour 2?" in provider.uploads[0].content.decode()
    provider.finish()
    story.collect()
    assert provider.files == {}

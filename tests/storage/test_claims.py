"""The ledger of shared backfills: one worker for each hour, and nothing from one that is late."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import make_url, text

from storage.claim_records import BackfillOrder, Claim, UnitCounts
from storage.claims import MOST_ATTEMPTS
from storage.sessions import place
from storage.store import Store, open_store
from tailwatch.errors import ClaimLostError, StoreUnavailableError
from tailwatch.window import HOUR, Window
from tests.storage.examples import HOUR_0, NOW, SOURCE, evaluation, ref

LEASE = timedelta(minutes=1)
OVER = timedelta(seconds=-1)
HOURS = Window(HOUR_0.start, HOUR_0.start + 3 * HOUR)
ORDER = BackfillOrder(source=SOURCE, window=HOURS, what={"only": "missing"})


def claimed(store: Store, job_id: str, holder: str = "a", lease: timedelta = LEASE) -> Claim:
    claim = store.claim_unit(job_id, holder, lease)
    assert claim is not None
    return claim


def test_hours_are_claimed_oldest_first_and_each_by_one_worker(store: Store) -> None:
    job = store.open_backfill(ORDER, NOW)
    claims = [claimed(store, job.job_id, holder) for holder in "abc"]
    assert [claim.window for claim in claims] == list(HOURS.hours())
    assert store.claim_unit(job.job_id, "d", LEASE) is None
    store.finish_unit(claims[1], UnitCounts(changed=1, listed=10, scored=8))
    progress = store.backfill_progress(job.job_id)
    assert progress.hours == {"claimed": 2, "done": 1}
    assert progress.counts == UnitCounts(changed=1, listed=10, scored=8)
    assert (progress.left, progress.total, list(progress.holders)) == (2, 3, ["a", "c"])


def test_an_hour_whose_lease_ended_is_claimed_by_another_and_the_late_one_writes_nothing(
    store: Store,
) -> None:
    job = store.open_backfill(ORDER, NOW)
    late = claimed(store, job.job_id, "late", OVER)
    store.under(late).record_listing([ref("t")], NOW)  # nobody took it yet: it is still its own
    newer = claimed(store, job.job_id, "newer")
    assert (newer.window, newer.fence, newer.attempt) == (late.window, late.fence + 1, 2)

    theirs = evaluation("t")
    store.under(newer).record([theirs])
    with pytest.raises(ClaimLostError, match="another worker took over"):
        store.under(late).record([replace(theirs, run_id="late")])
    with pytest.raises(ClaimLostError):
        store.under(late).set_sample(SOURCE, theirs.series, HOUR_0, {})
    with pytest.raises(ClaimLostError):
        store.finish_unit(late, UnitCounts())
    store.give_back(late, "too late")
    assert not store.renew_claim(late, LEASE)
    assert store.renew_claim(newer, LEASE)
    assert store.evaluations(SOURCE, "t") == [theirs]
    store.finish_unit(newer, UnitCounts(scored=1))
    with pytest.raises(ClaimLostError):
        store.under(newer).record([theirs])


def taken_by(store: Store, job_id: str) -> bool:
    return store.claim_unit(job_id, "b", LEASE) is not None


def stand_still(
    store: Store, claim: Claim, until: Callable[[], bool], in_pipeline: bool = False
) -> None:
    """In the middle of a transaction, while nobody else can have the hour."""
    with store.under(claim).database.write() as connection, ExitStack() as stack:
        assert not until()
        if in_pipeline:
            driver: Any = connection.connection.driver_connection
            stack.enter_context(driver.pipeline())
            for number in range(500):  # more than one round of it: some of it is sent
                driver.execute("SELECT %s::int, %s::text", (number, "x" * 2000))
        deadline = time.monotonic() + 60
        while not until():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_who_stands_still_between_the_parts_of_a_statement_is_ended(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many rows go to PostgreSQL in one pipeline; in the middle of it a session counts as busy."""
    monkeypatch.setattr("storage.claims.STANDSTILL_S", 1)
    with open_store(store_url) as store, open_store(store_url) as other:
        job = store.open_backfill(replace(ORDER, window=HOUR_0), NOW)
        late = claimed(store, job.job_id, f"{place()}/{os.getpid()}/late", OVER)

        def ended_and_taken() -> bool:
            other.end_late_sessions(job.job_id)
            return taken_by(other, job.job_id)

        with pytest.raises(StoreUnavailableError):
            stand_still(store, late, until=ended_and_taken, in_pipeline=True)
        assert other.backfill_progress(job.job_id).holders == ["b"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_who_stands_still_in_a_transaction_does_not_hold_the_hour_for_ever(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.STANDSTILL_S", 1)
    with open_store(store_url) as store, open_store(store_url) as other:
        job = store.open_backfill(replace(ORDER, window=HOUR_0), NOW)
        late = claimed(store, job.job_id, "late", OVER)
        with pytest.raises(StoreUnavailableError, match="idle-in-transaction"):
            stand_still(store, late, until=lambda: taken_by(other, job.job_id))
        assert other.backfill_progress(job.job_id).holders == ["b"]
        with pytest.raises(ClaimLostError):
            store.under(late).record([evaluation("t")])


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_where_sessions_may_not_be_ended_the_work_goes_on(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.claims.STANDSTILL_S", 0)
    role = f"tailwatch_{uuid.uuid4().hex}"
    url = make_url(store_url).set(username=role).render_as_string()
    with (
        open_store(store_url) as owner,
        plain_role(owner, role),
        open_store(url) as store,
        open_store(url) as other,
    ):
        job = store.open_backfill(ORDER, NOW)
        late = claimed(store, job.job_id, f"{place()}/{os.getpid()}/late", OVER)
        with store.under(late).database.write():
            ended = other.end_late_sessions(job.job_id)
            assert claimed(other, job.job_id).window != late.window
        assert ended == 0
        with pytest.raises(StoreUnavailableError), store.under(late).database.write():
            assert owner.end_late_sessions(job.job_id) == 1


@contextmanager
def plain_role(owner: Store, role: str) -> Iterator[None]:
    """A role that may use the tables, and end no session, not even its own."""

    def execute(*statements: str) -> None:
        with owner.database.write() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with owner.database.read() as connection:
        signature = connection.exec_driver_sql(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'pg_terminate_backend'"
        ).scalar_one()
    execute(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC",
    )
    try:
        yield
    finally:
        execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_an_hour_is_given_up_after_some_attempts_and_the_others_go_on(store: Store) -> None:
    job = store.open_backfill(ORDER, NOW)
    for _ in range(MOST_ATTEMPTS):
        assert claimed(store, job.job_id, "dies", OVER).window == HOUR_0
    second = claimed(store, job.job_id)
    store.give_back(second, "the source was away", pause=timedelta(0))
    assert claimed(store, job.job_id).attempt == 2
    store.give_back(claimed(store, job.job_id), "it is refused for good")

    progress = store.backfill_progress(job.job_id)
    assert progress.hours == {"failed": 2, "claimed": 1}
    assert [(t.state, t.attempts, t.error) for t in progress.troubles] == [
        ("failed", 3, "3 workers in a row vanished while they worked on it"),
        ("claimed", 2, "the source was away"),
        ("failed", 1, "it is refused for good"),
    ]
    store.set_backfill(job.job_id, "failed", NOW)
    again = store.open_backfill(ORDER, NOW)
    assert (again.job_id, again.state) == (job.job_id, "running")
    assert store.backfill_progress(job.job_id).hours == {"open": 2, "claimed": 1}
    assert claimed(store, job.job_id).attempt == 1


def test_a_paused_hour_waits_and_one_given_back_unharmed_does_not(store: Store) -> None:
    one = replace(ORDER, window=HOUR_0)
    job = store.open_backfill(one, NOW)
    store.give_back(claimed(store, job.job_id))
    first = claimed(store, job.job_id)
    assert (first.attempt, first.fence) == (1, 2)
    store.give_back(first, "did not answer", pause=timedelta(hours=1))
    assert store.claim_unit(job.job_id, "a", LEASE) is None
    assert store.backfill_progress(job.job_id).left == 1


def test_the_same_order_goes_on_until_it_is_done(store: Store) -> None:
    job = store.open_backfill(ORDER, NOW)
    assert store.open_backfill(replace(ORDER, budget_usd=2.5), NOW).job_id == job.job_id
    store.set_backfill(job.job_id, "stopped")
    assert store.claim_unit(job.job_id, "a", LEASE) is None
    going_on = store.open_backfill(replace(ORDER, budget_usd=2.5), NOW)
    assert (going_on.job_id, going_on.state, going_on.order.budget_usd) == (
        job.job_id,
        "running",
        2.5,
    )
    for _ in range(3):
        store.finish_unit(claimed(store, job.job_id), UnitCounts())
    store.set_backfill(job.job_id, "done", NOW)
    another = store.open_backfill(ORDER, NOW)
    assert another.job_id != job.job_id
    assert store.backfill_progress(another.job_id).hours == {"open": 3}
    other_order = replace(ORDER, what={"only": "failed"})
    assert store.open_backfill(other_order, NOW).job_id not in (job.job_id, another.job_id)
    assert {j.job_id for j in store.backfill_jobs(SOURCE)} >= {job.job_id, another.job_id}


def test_where_days_come_in_order_no_hour_of_a_day_begins_before_the_day_before_is_over(
    store: Store,
) -> None:
    midnight = HOUR_0.start.replace(hour=0) + timedelta(days=1)
    window = Window(midnight - 2 * HOUR, midnight + HOUR)
    job = store.open_backfill(replace(ORDER, window=window, days_in_order=True), NOW)
    evening = [claimed(store, job.job_id) for _ in range(2)]
    assert store.claim_unit(job.job_id, "a", LEASE) is None
    for claim in evening:
        store.finish_unit(claim, UnitCounts())
    assert claimed(store, job.job_id).window.start == midnight


def test_of_many_workers_at_once_each_gets_hours_of_its_own(store_url: str) -> None:
    window = Window(HOUR_0.start, HOUR_0.start + 24 * HOUR)
    with open_store(store_url) as store:
        job = store.open_backfill(replace(ORDER, window=window), NOW)

        def work(holder: str) -> list[Window]:
            mine = []
            while (claim := store.claim_unit(job.job_id, holder, LEASE)) is not None:
                store.under(claim).record([evaluation(str(claim.window.start.hour))])
                store.finish_unit(claim, UnitCounts(scored=1))
                mine.append(claim.window)
            return mine

        with ThreadPoolExecutor(4) as threads:
            done = [each for mine in threads.map(work, "abcd") for each in mine]
        # one that is being written is passed over, so a worker may end while another goes on
        assert sorted(done) == list(window.hours())
        assert store.backfill_progress(job.job_id).counts.scored == 24


def test_claims_of_workers_known_to_be_gone_end_at_once(store: Store) -> None:
    job = store.open_backfill(ORDER, NOW)
    lost = claimed(store, job.job_id, "gone")
    kept = claimed(store, job.job_id, "here")
    assert store.drop_claims(job.job_id, ["gone", "another"]) == 1
    assert claimed(store, job.job_id, "next").window == lost.window
    assert store.renew_claim(kept, LEASE)


def test_an_order_comes_back_as_it_was_given(store: Store) -> None:
    what = {"series": [["a", "1", ""]], "segment": "feature=\x00x", "max_traces": None}
    order = replace(ORDER, what=what, budget_usd=0.5)
    assert store.open_backfill(order, NOW).order == order

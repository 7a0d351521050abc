"""The cap holds for many workers at once, whatever becomes of them."""

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS
from storage.store import Store, open_store
from tailwatch.judge_calls import BookEntries, Caps, JudgeCall, SettledCall
from tailwatch.outcome import Usage
from tailwatch.protocols import Verdict
from tailwatch.window import Window

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = Window(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
CAPS = Caps(run_usd=0.6, day_usd=1.5, evaluator_usd={"refusal": 0.2})
WORKERS = 8
RUNS = 4
OPEN_FOR = timedelta(minutes=5)


def work(url: str, number: int, rounds: int) -> None:
    """Asks and pays, two workers to a run, with random prices, waits and sizes of a batch."""
    random_ = random.Random(number)
    ended: list[SettledCall] = []
    with open_store(url) as store:
        for round_ in range(rounds):
            calls = [
                JudgeCall(
                    call_id=f"{number}-{round_}-{i}",
                    run_id=f"run {number % RUNS}",
                    question_key=f"question {random_.randrange(50)}",
                    evaluator=random_.choice(["refusal", "faithfulness"]),
                    version="1",
                    judge="small",
                    worst_case_usd=random_.random() / 50,
                    at=NOON,
                    open_until=NOON + OPEN_FOR,
                )
                for i in range(random_.randint(1, 6))
            ]
            keys = [call.question_key for call in calls]
            entries = BookEntries(settled=ended, wanted=calls, sought=keys, since=NOON)
            covered = store.book(entries, CAPS).covered
            time.sleep(random_.random() / 200)
            made = [call for call, is_covered in zip(calls, covered, strict=True) if is_covered]
            random_.shuffle(made)
            ended = [_settled(call, random_.random()) for call in made]
            if random_.random() < 0.5:
                store.settle_calls(ended)
        store.settle_calls(ended)


def _settled(call: JudgeCall, share: float) -> SettledCall:
    usage = Usage(cost_usd=call.worst_case_usd * share)
    verdict = Verdict(choice="yes", explanation="", usage=usage)
    return SettledCall(call_id=call.call_id, at=NOON, usage=usage, verdict=verdict)


def most_over(store: Store) -> float:
    """By how much any cap is exceeded by its calls, settled, reserved and lost; not above 0."""
    columns = JUDGE_CALLS.c
    counted = func.sum(func.coalesce(columns.cost_usd, columns.worst_case_usd))
    with store.database.read() as connection:
        runs = connection.execute(select(counted).group_by(columns.run_id)).scalars().all()
        refusals = (
            connection.execute(
                select(counted).where(columns.evaluator == "refusal").group_by(columns.run_id)
            )
            .scalars()
            .all()
        )
    return float(
        max(
            sum(runs) - (CAPS.day_usd or 0),
            max(runs, default=0.0) - CAPS.run_usd,
            max(refusals, default=0.0) - CAPS.evaluator_usd["refusal"],
        )
    )


def accounts_agree(store: Store) -> None:
    """The day's account is the sum of its calls."""
    (day,) = store.spending(TODAY, "day")
    with store.database.read() as connection:
        (taken,) = connection.execute(
            select(JUDGE_ACCOUNTS.c.taken).where(JUDGE_ACCOUNTS.c.scope == "day")
        ).scalars()
    assert taken / 1e12 == pytest.approx(day.counted_usd, abs=1e-9)


@pytest.mark.skipif(
    not (hasattr(os, "fork") and os.environ.get("TAILWATCH_TORTURE")),
    reason="forks its workers, which needs a process that has done little else: `make torture`",
)
def test_the_caps_hold_under_eight_processes_of_which_some_are_killed(store_url: str) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=work, args=(store_url, n, 60)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    with open_store(store_url) as store:
        dice, looked = random.Random(7), 0
        while any(worker.is_alive() for worker in workers):
            assert most_over(store) <= 1e-9
            looked += 1
            if looked in (4, 8, 12) and (alive := [w for w in workers if w.is_alive()]):
                os.kill(dice.choice(alive).pid or 0, signal.SIGKILL)
        for worker in workers:
            worker.join()
        assert {worker.exitcode for worker in workers} <= {0, -signal.SIGKILL}
        assert most_over(store) <= 1e-9
        accounts_agree(store)
        (day,) = store.spending(TODAY, "day")
        assert day.counted_usd > 0.9 * (CAPS.day_usd or 0)
        assert store.mark_lost_calls(NOON + OPEN_FOR) == day.reserved_calls
        (later,) = store.spending(TODAY, "day")
        assert (later.reserved_calls, later.lost_calls) == (0, day.reserved_calls)
        assert later.counted_usd == pytest.approx(day.counted_usd)


def test_the_caps_hold_under_eight_threads(store: Store) -> None:
    url = store.database.url.render_as_string(hide_password=False)
    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work, url, n, 15) for n in range(WORKERS)]
        while not all(worker.done() for worker in working):
            assert most_over(store) <= 1e-9
            time.sleep(0.01)
    assert [worker.exception() for worker in working] == [None] * WORKERS
    (day,) = store.spending(TODAY, "day")
    assert (day.reserved_calls, day.lost_calls) == (0, 0)
    assert most_over(store) <= 1e-9
    accounts_agree(store)

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.records import RunRecord, WindowRecord
from storage.store import Store
from tailwatch.window import HOUR, Window
from tests.storage.examples import BOTH_HOURS, HOUR_0, HOUR_1, NOW, SOURCE

DONE = WindowRecord(
    source=SOURCE,
    window=HOUR_0,
    status="done",
    listed=10,
    scored=8,
    failed=1,
    late=0,
    run_id="first",
    evaluated_at=NOW,
)


@pytest.mark.parametrize(
    ("later", "attempts", "restated"),
    [
        ([], 1, 0),
        ([DONE], 1, 0),
        ([replace(DONE, listed=11)], 1, 0),
        ([replace(DONE, run_id="second")], 2, 0),
        ([replace(DONE, run_id="second", scored=9)], 2, 1),
        ([replace(DONE, run_id="second", scored=9)] * 3, 2, 1),
        ([replace(DONE, run_id=str(late), late=late) for late in (1, 2)], 3, 2),
        ([replace(DONE, run_id="second", status="failed", scored=0), DONE], 3, 0),
    ],
)
def test_attempts_and_restatements_are_counted(
    store: Store, later: list[WindowRecord], attempts: int, restated: int
) -> None:
    for record in [DONE, *later]:
        store.finish_window(replace(record, attempts=99, restated=99))
    last = [DONE, *later][-1]
    assert store.windows(SOURCE, BOTH_HOURS) == [
        replace(last, attempts=attempts, restated=restated)
    ]


def test_owed_are_the_whole_hours_without_a_done_run_newest_first(store: Store) -> None:
    hours = list(Window(HOUR_0.start, HOUR_0.start + 4 * HOUR).hours())
    store.finish_window(replace(DONE, window=hours[1]))
    store.finish_window(replace(DONE, window=hours[2], status="failed"))
    store.finish_window(replace(DONE, window=hours[0], source="another"))
    half_hours_more = Window(hours[0].start - HOUR / 2, hours[3].end + HOUR / 2)
    assert store.owed_windows(SOURCE, half_hours_more) == [hours[3], hours[2], hours[0]]


def test_the_ledger_knows_its_first_and_last_hour(store: Store) -> None:
    assert (store.first_window(SOURCE), store.last_window(SOURCE)) == (None, None)
    for hour in (HOUR_1, HOUR_0):
        store.finish_window(replace(DONE, window=hour))
    assert (store.first_window(SOURCE), store.last_window(SOURCE)) == (HOUR_0, HOUR_1)


def test_a_window_that_is_no_clock_hour_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="clock hour"):
        store.finish_window(replace(DONE, window=BOTH_HOURS))


def test_a_run_is_kept_from_its_start_to_its_end(store: Store) -> None:
    started = RunRecord(run_id="r", kind="backfill", started_at=NOW, detail="two hours")
    other = RunRecord(run_id="o", kind="hourly", started_at=NOW - timedelta(1))
    store.start_run(other)
    store.start_run(started)
    assert store.runs() == [started, other]
    store.finish_run("r", NOW + HOUR, "failed", "no answer", {"listed": 3}, 0.25)
    assert store.runs(1) == [
        replace(
            started,
            status="failed",
            ended_at=NOW + HOUR,
            error="no answer",
            counts={"listed": 3},
            cost_usd=0.25,
        )
    ]


def test_a_done_hour_is_owed_while_a_run_restates_it(store: Store) -> None:
    store.finish_window(DONE)
    store.begin_restating(SOURCE, BOTH_HOURS, "second")
    store.begin_restating(SOURCE, BOTH_HOURS, "third")
    assert store.windows(SOURCE, BOTH_HOURS) == [replace(DONE, restating="second")]
    assert store.owed_windows(SOURCE, HOUR_0) == [HOUR_0]
    store.end_restating(SOURCE, BOTH_HOURS, "third")
    assert store.owed_windows(SOURCE, HOUR_0) == [HOUR_0]
    store.end_restating(SOURCE, BOTH_HOURS, "second")
    assert store.windows(SOURCE, BOTH_HOURS) == [DONE]


def test_a_run_that_finishes_an_hour_ends_its_restating(store: Store) -> None:
    store.finish_window(DONE)
    store.begin_restating(SOURCE, HOUR_0, "second")
    again = replace(DONE, run_id="third", scored=9)
    store.finish_window(again)
    assert store.windows(SOURCE, HOUR_0) == [replace(again, attempts=2, restated=1)]

"""kill -9 at random moments, then again: what is left equals an undisturbed run, bit for bit."""

import random
import time
from multiprocessing.process import BaseProcess

import pytest
from sqlalchemy import text

from storage.store import Store
from tests.survival.story import (
    HOURS,
    LONG,
    Left,
    Project,
    differences,
    evaluate,
    kill,
    left_behind,
    rows_of,
    running,
    started,
)

KILLS = 60 if LONG else 6
pytestmark = pytest.mark.timeout(3600 if LONG else 300)


@pytest.mark.parametrize("workers", [1, 3])
def test_killed_at_random_moments(project: Project, undisturbed: Left, workers: int) -> None:
    choose = random.Random(workers)
    with project.opened() as store:
        for _ in range(KILLS // workers):
            if rows_of(store, "windows") == HOURS:
                assert differences(left_behind(project), undisturbed) == {}
                _forget_everything(store)
            target = rows_of(store, "evaluations") + choose.randrange(200)
            with running(project, workers) as processes:
                _wait_for(store, target, processes)
                for process in processes:
                    time.sleep(choose.uniform(0, 0.03))
                    kill(process)
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


def test_two_runs_of_the_same_hours_at_once(project: Project, undisturbed: Left) -> None:
    processes = [started(project) for _ in range(2)]
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0, 0]
    assert differences(left_behind(project), undisturbed) == {}


def _wait_for(store: Store, evaluations: int, processes: list[BaseProcess]) -> None:
    while rows_of(store, "evaluations") < evaluations and any(p.is_alive() for p in processes):
        time.sleep(0.002)


def _forget_everything(store: Store) -> None:
    with store.database.write() as connection:
        for name in store.stats():
            connection.execute(text(f"DELETE FROM {name}"))  # noqa: S608

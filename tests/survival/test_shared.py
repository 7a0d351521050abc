"""Backfills that several workers share: killed, stopped, too late; what is left equals a quiet run.

The Dask workers are processes of their own, on a real scheduler and a real PostgreSQL.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from storage.claim_records import BackfillJob, JobProgress
from storage.store import Store
from tests.survival.sharing_story import begun, environment_of, free_port, share
from tests.survival.story import (
    DAY,
    HOURS,
    Left,
    Project,
    differences,
    left_behind,
    rows_of,
)

ROOT = Path(__file__).resolve().parents[2]
only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
pytestmark = pytest.mark.timeout(300)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def only_job(store: Store) -> tuple[BackfillJob, JobProgress]:
    (job,) = store.backfill_jobs("survivor")
    return job, store.backfill_progress(job.job_id)


def workers_of(project: Project, job_id: str, number: int, lease_s: float) -> list[BaseProcess]:
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["tests.survival.story", "tests.survival.sharing_story"])
    processes = [
        forkserver.Process(target=share, args=(project, job_id, lease_s)) for _ in range(number)
    ]
    for process in processes:
        process.start()
    return list(processes)


@contextmanager
def dask_cluster(
    project: Project, workers: int
) -> Iterator[tuple[str, "list[subprocess.Popen[bytes]]"]]:
    """A scheduler and so many workers, none of which is started again."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    commands = [scheduler, *[worker] * workers]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=ROOT,
            env=environment_of(project),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def backfill(project: Project, *more: str) -> "subprocess.Popen[str]":
    span = ("--from", DAY.start.isoformat(), "--to", DAY.end.isoformat())
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "backfill", *span, *more],
        cwd=project.folder,
        env=environment_of(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@only_postgres
def test_a_dask_worker_is_killed_in_the_middle(project: Project, undisturbed: Left) -> None:
    with project.opened() as store, dask_cluster(project, 2) as (address, workers):
        driver = backfill(project, "--engine", "dask", "--dask-address", address)
        wait_until(lambda: driver.poll() is not None or len(_at_work(store)) == 2)
        # the lease of the hour it is at is ended for it, so that the test need not wait for that
        victim = _at_work(store)[0]
        os.kill(int(victim.split("/")[1]), signal.SIGKILL)
        store.drop_claims(only_job(store)[0].job_id, [victim])
        out, error = driver.communicate(timeout=120)
        assert (driver.returncode, error) == (0, "")
        assert sum(worker.poll() is not None for worker in workers) == 1
        job, progress = only_job(store)
    assert (job.state, progress.done) == ("done", HOURS)
    assert f"{HOURS} hours evaluated" in out
    assert differences(left_behind(project), undisturbed) == {}


def _at_work(store: Store) -> list[str]:
    jobs = store.backfill_jobs("survivor")
    return list(store.backfill_progress(jobs[0].job_id).holders) if jobs else []


@only_postgres
def test_a_worker_that_stood_still_writes_nothing_over_the_others(
    project: Project, undisturbed: Left
) -> None:
    with project.opened() as store:
        job = begun(store, project)
        (late,) = workers_of(project, job.job_id, 1, lease_s=1.0)
        wait_until(lambda: rows_of(store, "evaluations") > 30)
        os.kill(late.pid or 0, signal.SIGSTOP)
        others = workers_of(project, job.job_id, 2, lease_s=20.0)
        wait_until(lambda: store.backfill_progress(job.job_id).left == 0)
        finished = left_behind(project)
        os.kill(late.pid or 0, signal.SIGCONT)
        for process in (late, *others):
            process.join(60)
            assert process.exitcode == 0
        progress = store.backfill_progress(job.job_id)
    assert progress.done == HOURS
    assert differences(left_behind(project), finished) == {}
    assert differences(finished, undisturbed) == {}


@only_sqlite
def test_several_commands_share_the_hours_and_a_killed_one_is_made_up_for(
    project: Project, undisturbed: Left
) -> None:
    with project.opened() as store:
        commands = [backfill(project) for _ in range(2)]
        wait_until(lambda: rows_of(store, "evaluations") > 100)
        commands[0].kill()
        commands[0].communicate()
        out, error = commands[1].communicate(timeout=120)
        job, progress = only_job(store)
    assert (commands[1].returncode, error) == (0, "")
    assert (job.state, progress.done, progress.failed) == ("done", HOURS, 0)
    assert f"{HOURS} hours evaluated" in out
    assert differences(left_behind(project), undisturbed) == {}


@only_sqlite
def test_what_was_stopped_goes_on_with_the_same_command(
    project: Project, undisturbed: Left
) -> None:
    with project.opened() as store:
        command = backfill(project)
        wait_until(lambda: rows_of(store, "windows") >= 2)
        command.send_signal(signal.SIGINT)
        _, error = command.communicate(timeout=60)
        assert command.returncode == 130
        assert "running again goes on" in " ".join(error.split())
        job, progress = only_job(store)
        assert progress.hours.get("claimed", 0) == 0
        assert 0 < progress.left < HOURS
        again = backfill(project)
        again.communicate(timeout=120)
        assert only_job(store)[0].job_id == job.job_id
        assert store.runs()[0].status == "done"
    assert differences(left_behind(project), undisturbed) == {}

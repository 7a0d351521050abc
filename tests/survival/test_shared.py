"""Backfills that several workers share: killed, stopped, too late; what is left equals a quiet run.

The Dask workers are processes of their own, on a real scheduler and a real PostgreSQL. One hour is
kept from the workers until the test has done its worst, so none of them can be through before.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from storage.claim_records import BackfillJob, JobProgress
from storage.store import Store
from tests.survival.sharing_story import (
    TEST,
    at_work,
    begun_but_for_an_hour,
    environment_of,
    free_port,
    share,
)
from tests.survival.story import (
    DAY,
    HOURS,
    LONG,
    Left,
    Project,
    differences,
    kill,
    left_behind,
    rows_of,
)

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 240
only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
at_moments = pytest.mark.parametrize("evaluations", range(30, 930, 90) if LONG else [30])
"""After how many evaluations of some 1,100 it happens."""
pytestmark = pytest.mark.timeout(3 * DEADLINE_S)


@pytest.fixture(autouse=True)
def ctrl_c_counts() -> Iterator[None]:
    """A shell that runs the tests in the background lets them, and so the commands, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def only_job(store: Store) -> tuple[BackfillJob, JobProgress]:
    (job,) = store.backfill_jobs("survivor")
    return job, store.backfill_progress(job.job_id)


@contextmanager
def worker_of(project: Project, job_id: str, lease_s: float) -> Iterator[BaseProcess]:
    """A worker in a process of its own; whatever state it is in, it is gone afterwards."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["tests.survival.story", "tests.survival.sharing_story"])
    process = forkserver.Process(target=share, args=(project, job_id, lease_s))
    process.start()
    try:
        yield process
    finally:
        kill(process)


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


@contextmanager
def backfill(project: Project, *more: str) -> "Iterator[subprocess.Popen[str]]":
    """The command, which does not outlive the context."""
    span = ("--from", DAY.start.isoformat(), "--to", DAY.end.isoformat())
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "backfill", *span, *more],
        cwd=project.folder,
        env=environment_of(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


@only_postgres
def test_a_dask_worker_is_killed_in_the_middle(project: Project, undisturbed: Left) -> None:
    with project.opened() as store, dask_cluster(project, 2) as (address, workers):
        _, last = begun_but_for_an_hour(store, project)
        with backfill(project, "--engine", "dask", "--dask-address", address) as driver:
            wait_until(lambda: driver.poll() is not None or at_work(store))
            victim, other = sorted(workers, key=lambda worker: worker.pid not in at_work(store))
            victim.kill()
            victim.wait()
            store.give_back(last)
            out, error = driver.communicate(timeout=DEADLINE_S)
        assert (driver.returncode, error) == (0, "")
        assert other.pid in at_work(store)
        job, progress = only_job(store)
    assert (job.state, progress.done) == ("done", HOURS)
    assert f"{HOURS} hours evaluated" in out
    assert differences(left_behind(project), undisturbed) == {}


@only_postgres
@at_moments
def test_a_worker_that_stood_still_writes_nothing_over_the_others(
    project: Project, undisturbed: Left, evaluations: int
) -> None:
    """Where it stops within a transaction, the others have its hour once PostgreSQL ended that."""
    with project.opened() as store, ExitStack() as stack:
        job, last = begun_but_for_an_hour(store, project)
        late = stack.enter_context(worker_of(project, job.job_id, lease_s=1.0))
        wait_until(lambda: rows_of(store, "evaluations") > evaluations)
        os.kill(late.pid or 0, signal.SIGSTOP)
        others = [
            stack.enter_context(worker_of(project, job.job_id, lease_s=60.0)) for _ in range(2)
        ]
        store.give_back(last)
        wait_until(lambda: store.backfill_progress(job.job_id).left == 0)
        finished = left_behind(project)
        os.kill(late.pid or 0, signal.SIGCONT)
        for process in (late, *others):
            process.join(DEADLINE_S)
            assert process.exitcode == 0
        progress = store.backfill_progress(job.job_id)
    assert progress.done == HOURS
    assert differences(left_behind(project), finished) == {}
    assert differences(finished, undisturbed) == {}


@only_sqlite
@at_moments
def test_several_commands_share_the_hours_and_a_killed_one_is_made_up_for(
    project: Project, undisturbed: Left, evaluations: int
) -> None:
    with project.opened() as store:
        _, last = begun_but_for_an_hour(store, project)
        with backfill(project) as killed, backfill(project) as other:
            wait_until(lambda: rows_of(store, "evaluations") > evaluations)
            killed.kill()
            killed.communicate()
            store.give_back(last)
            out, error = other.communicate(timeout=DEADLINE_S)
        assert (other.returncode, error) == (0, "")
        job, progress = only_job(store)
    assert (job.state, progress.done, progress.failed) == ("done", HOURS, 0)
    assert f"{HOURS} hours evaluated" in out
    assert differences(left_behind(project), undisturbed) == {}


@only_sqlite
def test_what_was_stopped_goes_on_with_the_same_command(
    project: Project, undisturbed: Left
) -> None:
    with project.opened() as store:
        begun_job, last = begun_but_for_an_hour(store, project)
        with backfill(project) as command:
            wait_until(lambda: rows_of(store, "windows") >= 2)
            command.send_signal(signal.SIGINT)
            _, error = command.communicate(timeout=DEADLINE_S)
        assert command.returncode == 130
        assert "running again goes on" in " ".join(error.split())
        _, progress = only_job(store)
        assert progress.holders == [TEST]
        assert 0 < progress.left < HOURS
        store.give_back(last)
        with backfill(project) as again:
            again.communicate(timeout=DEADLINE_S)
        assert again.returncode == 0
        assert only_job(store)[0].job_id == begun_job.job_id
        assert store.runs()[0].status == "done"
    assert differences(left_behind(project), undisturbed) == {}

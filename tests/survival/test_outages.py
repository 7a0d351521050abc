"""A store that goes away, fills up, is locked or may not be written: said in a sentence, and the
next run completes what this one could not.
"""

import multiprocessing
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.postgres import InstalledServer, NoPostgresError, installed_server
from tests.survival.story import (
    DAY,
    LONG,
    Left,
    Project,
    differences,
    evaluate,
    left_behind,
    make_project,
    rows_of,
    started,
)

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)
only_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


def command(project: Project, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    """`tailwatch backfill` over all hours, as a person runs it."""
    environment = dict(os.environ) | {
        "TAILWATCH_HOME": str(project.folder / "home"),
        "TAILWATCH_PLAN": str(project.folder / "tailwatch.yaml"),
        "TAILWATCH_STORE_URL": project.store_url,
        "PYTHONPATH": str(ROOT),
    }
    span = ("--from", DAY.start.isoformat(), "--to", DAY.end.isoformat())
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "backfill", *span],
        cwd=project.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def said(process: "subprocess.Popen[str]") -> str:
    """What a command that failed said: one sentence, no traceback, no password."""
    _, error = process.communicate(timeout=200)
    assert process.returncode == 1, error
    assert "Traceback" not in error
    return " ".join(error.split())


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@only_postgres
def test_connections_cut_in_the_middle_of_transactions(project: Project, undisturbed: Left) -> None:
    cut = 0
    with project.opened() as store:
        for enough in (150, 300, 450):
            process = started(project)
            while rows_of(store, "evaluations") <= enough and process.is_alive():
                time.sleep(0.005)
            cut += _cut(project.store_url)
            process.join(120)
    assert cut >= 3
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


def _cut(url: str) -> int:
    """Ends every other connection to the database; how many there were."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return len(rows)


@pytest.fixture
def own_server() -> Iterator[InstalledServer]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(installed_server())
        except NoPostgresError as error:
            pytest.skip(f"no PostgreSQL to stop and start: {error}")
        yield server


@only_postgres
def test_postgresql_is_stopped_in_mid_run_and_started_again(
    own_server: InstalledServer, undisturbed: Left, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "own", own_server.url)
    with project.opened() as store:
        store.upgrade()
        process = command(project)
        wait_until(lambda: rows_of(store, "evaluations") > 100)
    own_server.stop()
    assert "the results store" in said(process)
    assert "did not answer" in said(command(project))
    own_server.start()
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


@only_sqlite
def test_sqlite_is_locked_for_longer_than_anyone_waits(project: Project, undisturbed: Left) -> None:
    path = project.store_url.removeprefix("sqlite:///")
    with project.opened() as store:
        process = command(project)
        wait_until(lambda: rows_of(store, "evaluations") > 60)
    locker = sqlite3.connect(path, isolation_level=None)
    wait_until(lambda: _locked(locker))
    assert "locked" in said(process)
    locker.execute("ROLLBACK")
    locker.close()
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


def _locked(locker: sqlite3.Connection) -> bool:
    try:
        locker.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@only_sqlite
@pytest.mark.parametrize("kilobytes", [200, 400, 600, 800, 1000] if LONG else [600])
def test_the_disk_is_full(project: Project, undisturbed: Left, kilobytes: int) -> None:
    """A quota on the size of files, which SQLite meets as a disk without room."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    told = said(command(project, limited))
    assert re.search("full|disk|no room|too large", told), told
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


@only_postgres
def test_a_postgresql_store_may_only_be_read(project: Project, undisturbed: Left) -> None:
    with psycopg.connect(project.store_url, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone() or ("",)
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        assert "read-only" in said(command(project))
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
    evaluate(project)
    assert differences(left_behind(project), undisturbed) == {}


@only_sqlite
def test_a_sqlite_store_may_only_be_read(project: Project, undisturbed: Left) -> None:
    with tempfile.TemporaryDirectory(prefix="tailwatch-ro-") as name:
        folder = Path(name)
        store = shutil.copy(project.store_url.removeprefix("sqlite:///"), folder / "store.db")
        mine = make_project(folder / "project", f"sqlite:///{store}")
        (folder / "project" / "home").mkdir()
        (folder / "project" / "home").chmod(0o777)
        Path(store).chmod(0o444)
        folder.chmod(0o555)
        told = multiprocessing.get_context("forkserver").Queue()
        process = started(mine, told)
        assert "attempt to write a readonly database" in told.get(timeout=120)
        process.join(60)
        folder.chmod(0o755)
        Path(store).chmod(0o644)
        shutil.rmtree(folder / "project" / "home")
        evaluate(mine)
        assert differences(left_behind(mine), undisturbed) == {}

"""The real thing: `tailwatch up`, a schedule that fires, and a worker killed in the middle."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from flows.supervisor import Addresses, prefect_environment
from storage.store import Store, open_store
from tailwatch.settings import Settings
from tailwatch.window import HOUR, Window, floor_hour

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 150.0
PER_HOUR = 6
DAYS = 4
PLAN = """\
source: {use: files, name: live, options: {path: traces.jsonl}}
evaluators: [{use: lexical_support}, {use: token_f1}]
rules: [{use: floor, series: [token_f1], options: {line: 0.1}}]
"""

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Project:
    """A folder with traces of the last days, and `tailwatch up` running over it."""

    store: Store
    environment: dict[str, str]
    supervisor: "subprocess.Popen[str]"
    end: datetime

    def run(self, *command: str) -> str:
        """A command of the environment, `prefect` or `flows.cli`, in the repository's root."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def done(self, window: Window) -> list[datetime]:
        records = self.store.windows("live", window)
        return [record.window.start for record in records if record.status == "done"]


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE_S:.0f} s"
        time.sleep(0.5)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    end = floor_hour(datetime.now(UTC)) + HOUR
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "traces.jsonl").write_text("".join(_records(end)))
    addresses = Addresses(host="127.0.0.1", port=_free_port())
    settings = Settings(home=tmp_path / "home", plan=tmp_path / "plan.yaml", store_url=None)
    environment = prefect_environment(addresses, settings.home) | {
        "TAILWATCH_HOME": str(settings.home),
        "TAILWATCH_PLAN": str(settings.plan),
        "TAILWATCH_STORE_URL": settings.store,
    }
    output = (tmp_path / "up.log").open("w")
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "up", "--port", str(addresses.port)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        log = tmp_path / "up.log"
        wait_for("tailwatch up", lambda: "Ctrl-C stops" in log.read_text() or _over(supervisor))
        assert supervisor.poll() is None, log.read_text()
        with open_store(settings.store) as store:
            yield Project(store=store, environment=environment, supervisor=supervisor, end=end)
    finally:
        _end(supervisor)
        output.close()


def test_a_schedule_fires_and_a_killed_worker_loses_and_doubles_nothing(project: Project) -> None:
    day = timedelta(days=1)
    recent = Window(project.end - day - 2 * HOUR, project.end)
    project.run(
        "prefect", "deployment", "schedule", "create", "evaluate-traces/hourly", "--interval", "30"
    )
    wait_for("a scheduled run", lambda: len(project.done(recent)) >= 24)

    past = Window(project.end - DAYS * day, project.end - 2 * day)
    parameters = {"window": {"start": past.start.isoformat(), "end": past.end.isoformat()}}
    project.run(
        "prefect", "deployment", "run", "backfill/by-hand", "--params", json.dumps(parameters)
    )
    wait_for("a part of the backfill", lambda: len(project.done(past)) >= 3)
    _kill_worker(project.supervisor.pid)
    finished = len(project.done(past))

    project.run(
        "flows.cli", "backfill", "--from", past.start.isoformat(), "--to", past.end.isoformat()
    )

    assert finished >= 3
    assert len(project.done(past)) == 48
    for window in past.hours():
        for account in project.store.coverage("live", window):
            assert (account.listed, account.sampled) == (PER_HOUR, PER_HOUR)
            assert account.unreadable == 0
    stats = project.store.stats()
    hours = len(project.done(Window(project.end - DAYS * day, project.end)))
    assert stats["evaluations"] == hours * PER_HOUR * 2

    wait_for("a new worker", lambda: _worker(project.supervisor.pid) is not None)
    project.run("prefect", "deployment", "run", "check-alerts/hourly")
    wait_for("an alert check", lambda: project.store.last_check("live") is not None)
    os.kill(project.supervisor.pid, signal.SIGINT)
    assert project.supervisor.wait(60) == 0


def _records(end: datetime) -> Iterator[str]:
    """A structured log: so many answered questions in each hour of the last days."""
    start = end - timedelta(days=DAYS)
    for number in range(DAYS * 24 * PER_HOUR):
        record = {
            "trace_id": f"t{number}",
            "span_id": "s",
            "timestamp": (start + number * HOUR / PER_HOUR).isoformat(),
            "latency_ms": 900,
            "input": "When are invoices sent?",
            "output": "Invoices are sent on the first day of the month.",
            "documents": ["Invoices are sent on the first day of each month."],
            "reference": "On the first day of each month.",
        }
        yield json.dumps(record) + "\n"


def _worker(supervisor: int) -> psutil.Process | None:
    children = psutil.Process(supervisor).children()
    return next((child for child in children if "worker" in child.cmdline()), None)


def _kill_worker(supervisor: int) -> None:
    """Kills the worker and the flow run below it, with no chance to say goodbye."""
    worker = _worker(supervisor)
    assert worker is not None
    for process in (worker, *worker.children(recursive=True)):
        process.kill()


def _over(process: "subprocess.Popen[str]") -> bool:
    return process.poll() is not None


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

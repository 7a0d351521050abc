"""`tailwatch up`: one process that starts everything and stops everything.

A Prefect server, the store's migration, the work pool, the deployments and one worker, in that
order, each waited for; then it watches them until Ctrl-C.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tailwatch.errors import ConfigurationError, TailwatchError

POOL = "tailwatch"
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
HEARTBEAT_S = 30
"""How often a running flow says that it lives, so that a lost run can be told from a long one."""


class ServiceError(TailwatchError):
    """A service did not start, or ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the started services answer."""

    host: str
    port: int

    @property
    def page(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.page}/api"


def prefect_environment(addresses: Addresses, home: Path) -> dict[str, str]:
    """The environment of server, worker and runs: our own state folder, no telemetry."""
    return {
        **os.environ,
        "PREFECT_HOME": str((home / "prefect").absolute()),
        "PREFECT_API_URL": addresses.api,
        "PREFECT_SERVER_UI_API_URL": addresses.api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def running(
    addresses: Addresses,
    home: Path,
    root: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Callable[[], None]]:
    """The services while the block runs; yields a function that raises when one of them ended.

    Logs go to files in `home`. Raises ServiceError when one does not come up.
    """
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    Path(environment["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    _refuse_taken_port(addresses)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        say("starting the Prefect server")
        server = [
            "server", "start", "--host", addresses.host, "--port", str(addresses.port)
        ]  # fmt: skip
        started["server"] = _start(server, logs / "server.log", root, environment)
        _wait_until_healthy(addresses, started["server"], logs / "server.log")
        say("deploying the flows")
        _prefect(
            ["work-pool", "create", POOL, "--type", "process", "--overwrite"], root, environment
        )
        _prefect(["--no-prompt", "deploy", "--all"], root, environment)
        say("starting a worker")
        worker = ["worker", "start", "--pool", POOL, "--type", "process", "--limit", "4"]
        started["worker"] = _start(worker, logs / "worker.log", root, environment)
        yield lambda: _raise_if_ended(started, logs)
    finally:
        for name in ("worker", "server"):
            if name in started:
                say(f"stopping the {name}")
                _stop(started[name])


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def _start(
    arguments: list[str], log: Path, root: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        # A session of its own: Ctrl-C reaches us alone, and a worker started otherwise from a
        # shell's background would ignore the signal that stops it.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            _command(arguments),
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _prefect(arguments: list[str], root: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        _command(arguments),
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ServiceError(f"`prefect {' '.join(arguments)}` failed:\n{said}")


def _refuse_taken_port(addresses: Addresses) -> None:
    try:
        with urllib.request.urlopen(addresses.page, timeout=2):  # noqa: S310 - our own address
            taken = True
    except urllib.error.HTTPError:
        taken = True
    except OSError:
        taken = False
    if taken:
        raise ConfigurationError(
            f"something already answers at {addresses.page}; stop it, or choose another --port"
        )


def _wait_until_healthy(addresses: Addresses, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{addresses.api}/health", timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.5)
    raise ServiceError(f"the Prefect server did not start; its last words in {log}:\n{_tail(log)}")


def _raise_if_ended(started: Mapping[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, process in started.items():
        if process.poll() is not None:
            log = logs / f"{name}.log"
            raise ServiceError(
                f"the {name} ended with exit code {process.returncode}; its last words in {log}:\n"
                f"{_tail(log)}"
            )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the process to end; after a while ends it and what it started."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

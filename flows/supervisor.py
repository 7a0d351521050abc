"""`tailwatch up`: one process that starts everything and stops everything.

A Prefect server, the store's migration, the work pool, the deployments and one worker, in that
order, each waited for; then it watches them until Ctrl-C.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tailwatch.errors import ConfigurationError, TailwatchError

POOL = "tailwatch"
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0
MAX_RESTARTS = 3
"""How often a service may end within five minutes before it is given up."""
HEARTBEAT_S = 30
"""How often a running flow says that it lives, so that a lost run can be told from a long one."""


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the server on this machine, whatever proxy the environment names for the rest."""


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
        # Leases in memory die with the server, and the run they belong to keeps its slot for ever.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "DO_NOT_TRACK": "1",
    }


class Services:
    """The server and the worker, each with its log, restarted when it ends by itself."""

    def __init__(
        self, home: Path, root: Path, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._logs = home / "logs"
        self._root = root
        self._environment = environment
        self._say = say
        self._commands: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, list[float]] = {}
        self._logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, arguments: list[str]) -> None:
        """Starts `prefect ...` under a name."""
        self._commands[name] = arguments
        self._running[name] = _start(arguments, self._log(name), self._root, self._environment)

    def ended(self, name: str) -> bool:
        return self._running[name].poll() is not None

    def watch(self) -> None:
        """Starts again what ended. Raises ServiceError for what will not stay up."""
        for name, process in list(self._running.items()):
            if process.poll() is None:
                continue
            recent = [t for t in self._restarts.get(name, []) if t > time.monotonic() - 300]
            if len(recent) >= MAX_RESTARTS:
                raise ServiceError(f"the {name} ends again and again; {self.last_words(name)}")
            self._say(f"the {name} ended with exit code {process.returncode}; starting it again")
            self._restarts[name] = [*recent, time.monotonic()]
            self.start(name, self._commands[name])

    def stop(self) -> None:
        """Stops all, the last started first."""
        for name, process in reversed(self._running.items()):
            self._say(f"stopping the {name}")
            _stop(process)

    def last_words(self, name: str) -> str:
        log = self._log(name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return f"its last words in {log}:\n" + "\n".join(lines)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


@contextmanager
def running(
    addresses: Addresses,
    home: Path,
    root: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> Iterator[Services]:
    """The services while the block runs. Raises ServiceError when one does not come up."""
    Path(environment["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    _refuse_taken_port(addresses)
    services = Services(home, root, environment, say)
    try:
        say("starting the Prefect server")
        host, port = addresses.host, str(addresses.port)
        services.start("server", ["server", "start", "--host", host, "--port", port])
        _wait_until_healthy(addresses, services)
        say("deploying the flows")
        for arguments in (
            ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
            ["--no-prompt", "deploy", "--all"],
        ):
            _run([sys.executable, "-m", "prefect", *arguments], root, environment)
        _run([sys.executable, "-m", "flows.lost_runs"], root, environment)
        say("starting a worker")
        services.start(
            "worker", ["worker", "start", "--pool", POOL, "--type", "process", "--limit", "4"]
        )
        yield services
    finally:
        services.stop()


def _start(
    arguments: list[str], log: Path, root: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        # A session of its own: Ctrl-C reaches us alone, and a worker started otherwise from a
        # shell's background would ignore the signal that stops it.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "prefect", *arguments],
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _run(command: list[str], root: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        command,
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ServiceError(f"`{' '.join(command[1:])}` failed:\n{said}")


def _refuse_taken_port(addresses: Addresses) -> None:
    try:
        socket.create_connection((addresses.host, addresses.port), timeout=2).close()
    except OSError:
        return
    raise ConfigurationError(
        f"something already answers at {addresses.page}; stop it, or choose another --port"
    )


def _wait_until_healthy(addresses: Addresses, services: Services) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and not services.ended("server"):
        try:
            with _DIRECT.open(f"{addresses.api}/health", timeout=5):
                return
        except (OSError, HTTPException):
            time.sleep(0.5)
    raise ServiceError(f"the Prefect server did not start; {services.last_words('server')}")


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

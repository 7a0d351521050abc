"""The databases' errors as ours: one sentence each, no password, no trace text."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tailwatch.errors import StoreError, StoreSchemaError, StoreUnavailableError

_MAY_PASS = (sqlite3.OperationalError, sqlite3.InterfaceError)
_MAY_PASS_OF_PSYCOPG = (
    "OperationalError",
    "InterfaceError",
    "errors.IdleInTransactionSessionTimeout",
)
_MISSING_TABLE = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")
_FOR_GOOD = ("readonly database", "not a database", "malformed", "ReadOnlySqlTransaction")


@contextmanager
def store_errors(url: URL) -> Iterator[None]:
    """What SQLAlchemy and the drivers raise inside becomes a StoreError.

    Raises StoreUnavailableError for a database that is locked, full, stopped or out of reach,
    StoreSchemaError where a table is missing, StoreError for anything else.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailableError(
            f"the results store {shown(url)} had no free connection in time"
        ) from error
    except DBAPIError as error:
        raise _store_error(url, error.orig or error) from error
    except _of_psycopg("Error") as error:
        raise _store_error(url, error) from error
    except SQLAlchemyError as error:
        raise StoreError(
            f"the results store {shown(url)} failed: {type(error).__name__}"
        ) from error


def shown(url: URL) -> str:
    """The store's address as a person may see it: without its password and its options."""
    return url.set(query={}).render_as_string(hide_password=True)


def _store_error(url: URL, error: BaseException) -> StoreError:
    """`error` is the driver's own."""
    cause, name = _sentence(url, error), type(error).__name__
    if _says(cause, name, _MISSING_TABLE):
        return StoreSchemaError(
            f"the results store {shown(url)} lacks a table or column; run `tailwatch db upgrade`"
        )
    may_pass: tuple[type[Exception], ...] = (*_MAY_PASS, *_of_psycopg(*_MAY_PASS_OF_PSYCOPG))
    if isinstance(error, may_pass) and not _says(cause, name, _FOR_GOOD):
        return StoreUnavailableError(f"the results store {shown(url)} did not answer: {cause}")
    return StoreError(f"the results store {shown(url)} refused: {cause}")


def _of_psycopg(*names: str) -> tuple[type[Exception], ...]:
    """Its exceptions; none before it is loaded, when it cannot have raised one: a start on SQLite
    does without it.
    """
    loaded = sys.modules.get("psycopg")
    return () if loaded is None else tuple(attrgetter(name)(loaded) for name in names)


def _says(cause: str, name: str, signs: tuple[str, ...]) -> bool:
    return any(sign in cause or sign == name for sign in signs)


def _sentence(url: URL, error: BaseException) -> str:
    """The driver's own first line; a PostgreSQL DETAIL line below it may quote a row."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    password = str(url.password) if url.password is not None else ""
    return lines[0].replace(password, "***") if password else lines[0]

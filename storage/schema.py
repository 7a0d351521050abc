"""Which schema a store has, and bringing it to this program's."""

from importlib import import_module
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

from storage.database import Database
from storage.failures import shown
from tailwatch.errors import StoreSchemaError

MIGRATIONS = Path(__file__).parent / "migrations"
REVISIONS = tuple(sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))
"""The schema's revisions, oldest first: their files begin with four digits."""

VERSION_TABLE = "tailwatch_schema"
"""Not alembic's default name, so that the store may share a database with another program."""

_VERSION = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))


def revision_of(connection: Connection) -> str | None:
    """The store's revision; None before its first migration."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def check_schema(database: Database) -> None:
    """Raises StoreSchemaError, with what to do, unless the store's schema is this program's."""
    revision = _known_revision(database)
    if revision is None:
        raise StoreSchemaError(
            f"the results store {shown(database.url)} has no tables yet; run `tailwatch db upgrade`"
        )
    if revision != REVISIONS[-1]:
        raise StoreSchemaError(
            f"the results store {shown(database.url)} has the older schema {revision}; "
            f"this program needs {REVISIONS[-1]}: run `tailwatch db upgrade`"
        )


def upgrade(database: Database) -> None:
    """Bring the store to the newest schema; another process may be doing the same.

    Raises StoreSchemaError for a store that a newer tailwatch has written.
    """
    if _known_revision(database) == REVISIONS[-1]:
        return
    # deferred: only an upgrade needs alembic, and every command would wait for it
    command, config = import_module("alembic.command"), import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = database.url
    with database.write() as connection:
        _wait_for_other_upgrades(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _known_revision(database: Database) -> str | None:
    with database.read() as connection:
        revision = revision_of(connection)
    if revision is not None and revision not in REVISIONS:
        raise StoreSchemaError(
            f"the results store {shown(database.url)} has the newer schema {revision}; "
            f"this program knows schemas up to {REVISIONS[-1]}: upgrade tailwatch"
        )
    return revision


def _wait_for_other_upgrades(connection: Connection) -> None:
    """One upgrade at a time. SQLite's write transaction is such a lock by itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7224136115)")

"""Run by alembic: migrates the store that `Config.attributes` names, else the settings' own."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, types

from storage.database import make_engine, store_url
from storage.schema import VERSION_TABLE
from storage.store import METADATA
from storage.types import Amount, Count, SafeJson, SafeText, UTCDateTime
from tailwatch.settings import Settings

_AS_WRITTEN: dict[type[types.TypeEngine[Any]], str] = {
    SafeText: "sa.Text()",
    UTCDateTime: "sa.DateTime(timezone=True)",
    Amount: "sa.Double()",
    Count: "sa.BigInteger()",
    SafeJson: 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")',
}


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Our column types as plain ones: a migration must not change when they do."""
    return _AS_WRITTEN.get(type(item), False) if kind == "type" else False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    attributes = context.config.attributes
    if "connection" in attributes:
        migrate(attributes["connection"])
        return
    engine = make_engine(attributes.get("url") or store_url(Settings().store))
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


run()

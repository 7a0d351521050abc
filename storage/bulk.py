"""Inserting many rows, their values converted column by column.

SQLAlchemy converts row by row and parameter by parameter, which takes longer than SQLite itself;
and PostgreSQL spends most of its time on a statement for each row, so that many rows are copied
next to the table first (measured in benchmarks/store_writes.py). The statements and the conversions
are SQLAlchemy's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, Connection, Dialect, MetaData, Table, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from storage.types import SafeText, UTCDateTime

if TYPE_CHECKING:
    import psycopg

Row = Mapping[str, Any]
Insert = postgresql.Insert | sqlite.Insert

COPY_FROM_ROWS = 500
"""From how many rows on PostgreSQL copies; below, a temporary table costs more than it saves."""

_BATCH = 5_000
_PSYCOPG: Dialect = cast(Any, make_url("postgresql+psycopg://").get_dialect())(paramstyle="format")


def insert_many(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    on_conflict: Callable[[Insert], Insert],
) -> None:
    """Insert the rows, which have the same columns and different keys, in their order.

    `on_conflict` adds to an insert what is to be done about rows that are there already.
    """
    if connection.dialect.name == "sqlite":
        _insert_each(connection, on_conflict(sqlite.insert(table)), rows)
    elif len(rows) < COPY_FROM_ROWS:
        _insert_each(connection, on_conflict(postgresql.insert(table)), rows)
    else:
        copied = _copied(connection, table, rows)
        insert = postgresql.insert(table).from_select(list(rows[0]), select(copied))
        connection.execute(on_conflict(insert))


def positional(dialect: Dialect) -> Dialect:
    """The dialect as the driver reads it: with parameters by their place."""
    return dialect if dialect.name == "sqlite" else _PSYCOPG


def _insert_each(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    compiled = statement.compile(dialect=positional(connection.dialect), column_keys=list(rows[0]))
    kinds = {name: compiled.binds[name].type for name in compiled.positiontup or ()}
    constants = {name: value for name, value in compiled.params.items() if name not in rows[0]}
    for batch in _batches(rows):
        filled = [{**row, **constants} for row in batch] if constants else batch
        connection.exec_driver_sql(compiled.string, converted(filled, kinds, connection.dialect))


def _copied(connection: Connection, table: Table, rows: Sequence[Row]) -> Table:
    """A temporary table, gone at the end of the transaction, that holds the rows."""
    kinds = {name: table.c[name].type for name in rows[0]}
    copied = Table(
        f"given_{table.name}",
        MetaData(),
        *(Column(name, kind) for name, kind in kinds.items()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    copied.create(connection)
    names = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in kinds)
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {copied.name} ({names}) FROM STDIN") as copy,
    ):
        for batch in _batches(rows):
            for values in converted(batch, kinds, connection.dialect):
                copy.write_row(values)
    return copied


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


def converted(
    rows: Sequence[Row], kinds: Mapping[str, TypeEngine[Any]], dialect: Dialect
) -> list[tuple[Any, ...]]:
    """The rows' values of these columns, in this order, as the driver takes them."""
    columns = (
        _converted_column([row[name] for row in rows], kind.dialect_impl(dialect), dialect)
        for name, kind in kinds.items()
    )
    return list(zip(*columns, strict=True))


def _converted_column(values: list[Any], kind: TypeEngine[Any], dialect: Dialect) -> list[Any]:
    """Texts and times often repeat in their column: then each is converted once."""
    convert = kind.bind_processor(dialect)
    if convert is None:
        return values
    if isinstance(kind, SafeText | UTCDateTime):
        distinct = set(values)
        if len(distinct) < len(values) / 2:
            known = {value: convert(value) for value in distinct}
            return [known[value] for value in values]
    return [convert(value) for value in values]

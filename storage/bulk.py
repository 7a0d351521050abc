"""Inserting many rows, their values converted and sent column by column.

SQLAlchemy converts row by row and parameter by parameter, which takes longer than SQLite itself;
PostgreSQL spends most of the time on a statement for each row, and takes whole columns as arrays
instead (measured in benchmarks/store_writes.py). Statements and conversions are SQLAlchemy's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Table, bindparam, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from storage.types import SafeText, UTCDateTime

Row = Mapping[str, Any]
Insert = postgresql.Insert | sqlite.Insert

_BATCH = 5_000
_PSYCOPG: Dialect = cast(Any, make_url("postgresql+psycopg://").get_dialect())(paramstyle="format")


def insertion(connection: Connection, table: Table, names: Sequence[str]) -> Insert:
    """An insert of these columns for `insert_many`; what to do on a conflict may be added to it."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    arrays = [bindparam(name, type_=postgresql.ARRAY(table.c[name].type)) for name in names]
    columns = func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return postgresql.insert(table).from_select(list(names), select(*columns.c))


def insert_many(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Execute the insert for all rows, which have the same columns and different keys."""
    names = list(rows[0])
    table_columns = cast(Table, statement.table).c
    in_arrays = connection.dialect.name == "postgresql"
    compiled: SQLCompiler = (
        statement.compile(dialect=_PSYCOPG)
        if in_arrays
        else statement.compile(dialect=connection.dialect, column_keys=names)
    )
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        columns = {
            name: _converted([row[name] for row in batch], table_columns[name].type, connection)
            for name in names
        }
        order = compiled.positiontup or ()
        if in_arrays:
            arguments: Any = tuple(columns.get(name, compiled.params[name]) for name in order)
        else:
            constant = {name: [value] * len(batch) for name, value in compiled.params.items()}
            arguments = list(
                zip(*(columns.get(name, constant[name]) for name in order), strict=True)
            )
        connection.exec_driver_sql(compiled.string, arguments)


def _converted(values: list[Any], kind: TypeEngine[Any], connection: Connection) -> list[Any]:
    """The values of one column as the driver takes them; texts and times often repeat."""
    own_kind = kind.dialect_impl(connection.dialect)
    convert = own_kind.bind_processor(connection.dialect)
    if convert is None:
        return values
    if isinstance(own_kind, SafeText | UTCDateTime):
        distinct = set(values)
        if len(distinct) < len(values) / 2:
            known = {value: convert(value) for value in distinct}
            return [known[value] for value in values]
    return [convert(value) for value in values]

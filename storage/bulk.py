"""One insert for many rows, its values converted column by column.

SQLAlchemy converts row by row and parameter by parameter, which takes longer than SQLite itself
(see benchmarks/store_writes.py). The statement and the conversions are still SQLAlchemy's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Insert, make_url
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from storage.types import SafeText, UTCDateTime

Row = Mapping[str, Any]

_BATCH = 5_000
_PSYCOPG: Dialect = cast(Any, make_url("postgresql+psycopg://").get_dialect())(paramstyle="format")


def insert_many(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Execute the insert for each row, in order; all rows have the same columns."""
    dialect = connection.dialect
    positional: Dialect = _PSYCOPG if dialect.name == "postgresql" else dialect
    compiled = statement.compile(dialect=positional, column_keys=list(rows[0]))
    for start in range(0, len(rows), _BATCH):
        columns = _columns(compiled, rows[start : start + _BATCH])
        connection.exec_driver_sql(compiled.string, list(zip(*columns, strict=True)))


def _columns(compiled: SQLCompiler, rows: Sequence[Row]) -> Iterator[list[Any]]:
    """The statement's parameters in their order, each as the driver takes it, for all rows."""
    for name in compiled.positiontup or ():
        if name in rows[0]:
            values = [row[name] for row in rows]
        else:
            values = [compiled.params[name]] * len(rows)
        yield _converted(values, compiled.binds[name].type.dialect_impl(compiled.dialect), compiled)


def _converted(values: list[Any], kind: TypeEngine[Any], compiled: SQLCompiler) -> list[Any]:
    convert = kind.bind_processor(compiled.dialect)
    if convert is None:
        return values
    if isinstance(kind, SafeText | UTCDateTime):
        distinct = set(values)
        if len(distinct) < len(values) / 2:
            known = {value: convert(value) for value in distinct}
            return [known[value] for value in values]
    return [convert(value) for value in values]

"""Statements that run hundreds of times a second, their text made once for each database.

Building a statement, and SQLAlchemy's conversion of parameters and rows, take several times as long
as the database does for a few rows; the text and the conversions are SQLAlchemy's own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from storage.bulk import Row, converted, positional

_SIZES = (8, 64, 512)
"""For how many keys a query is made: few sizes, for to make one takes longer than many runs of it;
and SQLite takes 32,766 parameters."""
_KEYS = _SIZES[-1]

Reader = Callable[[Any], Any]
Writing = Insert | Update | postgresql.Insert | sqlite.Insert


class PreparedWrite:
    """An insert or update of many rows that have the given columns.

    `statement` makes it for a dialect's name. Values that are not in the rows are the statement's.
    """

    def __init__(self, columns: Sequence[str], statement: Callable[[str], Writing]) -> None:
        self._columns = columns
        self._statement = statement
        self._made: dict[str, _MadeWrite] = {}

    def run(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Writes the rows, in their order."""
        dialect = connection.dialect
        made = self._made.get(dialect.name) or self._make(dialect)
        given = [{**row, **made.constants} for row in rows] if made.constants else list(rows)
        if given:
            connection.exec_driver_sql(made.text, converted(given, made.kinds, dialect))

    def _make(self, dialect: Dialect) -> "_MadeWrite":
        statement = self._statement(dialect.name)
        compiled = statement.compile(dialect=positional(dialect), column_keys=list(self._columns))
        kinds = {name: compiled.binds[name].type for name in compiled.positiontup or ()}
        constants = {name: v for name, v in compiled.params.items() if name not in self._columns}
        made = self._made[dialect.name] = _MadeWrite(compiled.string, kinds, constants)
        return made


@dataclass(frozen=True, slots=True)
class _MadeWrite:
    text: str
    kinds: dict[str, Any]
    constants: dict[str, Any]


class PreparedSelect:
    """A query for some keys at once: `statement` makes it for so many of them.

    Its parameters are the fields of the keys, numbered: `call_id_0`, `call_id_1` and so on.
    """

    def __init__(self, fields: Sequence[str], statement: Callable[[int], Select[Any]]) -> None:
        self._fields = fields
        self._statement = statement
        self._made: dict[tuple[str, int], _MadeSelect] = {}

    def rows(
        self, connection: Connection, keys: Sequence[tuple[Any, ...]], **more: Any
    ) -> list[tuple[Any, ...]]:
        """The rows it finds for these keys, some hundreds of them at a time and in their order."""
        return [
            row
            for start in range(0, len(keys), _KEYS)
            for row in self._some(connection, keys[start : start + _KEYS], more)
        ]

    def _some(
        self, connection: Connection, keys: Sequence[tuple[Any, ...]], more: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        size = next(size for size in _SIZES if size >= len(keys))
        padded = [*keys, *[keys[-1]] * (size - len(keys))]
        dialect = connection.dialect
        made = self._made.get((dialect.name, size)) or self._make(dialect, size)
        values = {
            f"{field}_{number}": value
            for number, key in enumerate(padded)
            for field, value in zip(self._fields, key, strict=True)
        }
        given = converted([values | more], made.kinds, dialect)[0]
        result = connection.exec_driver_sql(made.text, given)
        if not made.readers:
            made.readers.extend(_readers(made.types, result.cursor.description, dialect))
        return [
            tuple(
                value if read is None else read(value)
                for value, read in zip(row, made.readers, strict=True)
            )
            for row in result
        ]

    def _make(self, dialect: Dialect, size: int) -> "_MadeSelect":
        statement = self._statement(size)
        compiled = statement.compile(dialect=positional(dialect))
        kinds = {name: compiled.binds[name].type for name in compiled.positiontup or ()}
        types = [column.type for column in statement.selected_columns]
        made = self._made[dialect.name, size] = _MadeSelect(compiled.string, kinds, types)
        return made


@dataclass(frozen=True, slots=True)
class _MadeSelect:
    text: str
    kinds: dict[str, Any]
    types: list[TypeEngine[Any]]
    readers: list[Reader | None] = field(default_factory=list)
    """Filled when the driver has said what it returns."""


def _readers(
    types: Iterable[TypeEngine[Any]], description: Any, dialect: Dialect
) -> list[Reader | None]:
    return [
        kind.dialect_impl(dialect).result_processor(dialect, column[1])
        for kind, column in zip(types, description, strict=True)
    ]

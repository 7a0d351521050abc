"""Writing many rows at once, the same way on both databases."""

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table

from storage.bulk import Insert, Row, insert_many

Proposed = Any
"""The row that was to be inserted, in an ON CONFLICT clause: `proposed.column`."""


def upsert(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    keep: Collection[str] = (),
    counted: Callable[[Proposed], Mapping[str, ColumnElement[Any]]] | None = None,
    where: Callable[[Proposed], ColumnElement[bool]] | None = None,
) -> None:
    """Insert the rows, or update those whose primary key is there already.

    The columns in `keep` stay as they were first written, those of `counted` get its expressions,
    and a row for which `where` is false stays as it is. All rows have the same columns. They are
    written in the order of their keys, so that two writers of the same rows wait for each other
    and never lock each other out; of two given rows with one key the later counts.
    """
    keys = [column.name for column in table.primary_key.columns]
    key_of = itemgetter(*keys)
    by_key = {key_of(row): row for row in rows}
    if not by_key:
        return
    ordered = [by_key[key] for key in sorted(by_key)]
    replaced = [name for name in ordered[0] if name not in keys and name not in keep]

    def on_conflict(insert: Insert) -> Insert:
        proposed = insert.excluded
        changes: dict[str, Any] = {name: proposed[name] for name in replaced}
        if counted is not None:
            changes |= counted(proposed)
        return insert.on_conflict_do_update(
            index_elements=keys, set_=changes, where=where(proposed) if where else None
        )

    insert_many(connection, table, ordered, on_conflict)

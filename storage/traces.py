"""The traces that were listed, their texts once fetched, and what could not be read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, func, select, update

from storage.connected import Connected
from storage.queries import in_hours, refuse_other_fields
from storage.records import StoredTrace
from storage.rows import REF_FIELDS, fetch_error_row, ref_row, stored_ref, stored_trace, texts_row
from storage.tables import FETCH_ERRORS, TRACES, WINDOWS
from storage.text import key_text
from storage.upsert import upsert
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window

_SET_TEXTS = (
    update(TRACES)
    .where(TRACES.c.source == bindparam("of_source"), TRACES.c.trace_id == bindparam("of_trace"))
    .values(
        {
            name: bindparam(name)
            for name in ("text_kept", "input", "output", "reference", "documents")
        }
    )
)


LISTED_COLUMNS = [TRACES.c[name] for name in (*REF_FIELDS, "trace_id_full")]


class TraceRecords(Connected):
    def record_listing(self, refs: Sequence[TraceRef], seen_at: datetime) -> None:
        """Record what a source listed; a trace listed before keeps when it was first seen."""
        rows = [ref_row(ref) | {"first_seen_at": seen_at} for ref in refs]
        with self.database.write() as connection:
            upsert(connection, TRACES, rows, keep={"first_seen_at"})

    def record_texts(self, traces: Sequence[Trace]) -> None:
        """Add the texts of listed traces, as far as they may be kept; other traces are left out.

        Under `none` the texts that an earlier setting kept for these traces are removed.
        """
        rows = sorted(
            (
                {"of_source": trace.source, "of_trace": key_text(trace.trace_id)}
                | texts_row(trace, self.keep_text)
                for trace in traces
            ),
            key=lambda row: (row["of_source"], row["of_trace"]),
        )
        if rows:
            with self.database.write() as connection:
                connection.execute(_SET_TEXTS, rows)

    def listed(self, source: str, window: Window) -> dict[str, TraceRef]:
        """The traces of the window's hours as they were last listed, by trace id."""
        query = select(*LISTED_COLUMNS).where(in_hours(TRACES, source, window))
        with self.database.read() as connection:
            refs = [stored_ref(row) for row in connection.execute(query).mappings()]
        return {ref.trace_id: ref for ref in refs}

    def late(self, source: str, window: Window) -> frozenset[str]:
        """The ids of the window's traces that were first seen when their hour had been done."""
        same_hour = and_(WINDOWS.c.source == TRACES.c.source, WINDOWS.c.hour == TRACES.c.hour)
        query = (
            select(TRACES.c.trace_id, TRACES.c.trace_id_full)
            .join(WINDOWS, same_hour)
            .where(in_hours(TRACES, source, window), TRACES.c.first_seen_at > WINDOWS.c.done_at)
        )
        with self.database.read() as connection:
            return frozenset(full or key for key, full in connection.execute(query))

    def first_seen(self, source: str, field: str) -> dict[str, datetime]:
        """When the first trace with each value of a trace field started.

        Raises ValueError for a name that is not a segment.
        """
        refuse_other_fields((field,))
        column = TRACES.c[field]
        query = (
            select(column, func.min(TRACES.c.start_time))
            .where(TRACES.c.source == source, column.is_not(None))
            .group_by(column)
        )
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def trace(self, source: str, trace_id: str) -> StoredTrace | None:
        """Everything that is kept of one trace; None when it was never listed."""
        query = select(TRACES).where(
            TRACES.c.source == source, TRACES.c.trace_id == key_text(trace_id)
        )
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else stored_trace(row)

    def record_fetch_errors(self, errors: Sequence[FetchError], run_id: str, at: datetime) -> None:
        """Record what could not be read; a place that failed before is written over."""
        rows = [fetch_error_row(e, self.keep_text) | {"run_id": run_id, "at": at} for e in errors]
        with self.database.write() as connection:
            upsert(connection, FETCH_ERRORS, rows)

    def fetch_errors(self, source: str, limit: int = 100) -> list[FetchError]:
        """What could not be read, newest first."""
        columns = FETCH_ERRORS.c
        query = (
            select(columns.source, columns.location, columns.message, columns.trace_id)
            .where(columns.source == source)
            .order_by(columns.at.desc(), columns.error_id)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [FetchError(**row) for row in connection.execute(query).mappings()]

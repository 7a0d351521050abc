"""Whole traces from their places in files, each file read once and in order."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sources.faults import printable, sentence
from sources.file_index import Entry
from sources.file_lines import line_at, open_lines
from sources.kept_lines import KeptLine
from sources.log_records import LogRow
from sources.log_traces import trace_of
from sources.packed_file import PackedFiles
from sources.trace_lines import read_line
from tailwatch.errors import InvalidTraceError
from tailwatch.trace import FetchError, Trace


@dataclass(slots=True, kw_only=True)
class _Pending:
    """A trace of which some lines have been read."""

    entry: Entry
    missing: int
    rows: dict[int, LogRow] = field(default_factory=dict)


def fetch_entries(
    source: str, entries: Sequence[Entry], packed_files: PackedFiles | None = None
) -> Iterator[Trace | FetchError]:
    """Each entry's trace, or why it cannot be had: one item for each entry, in the files' order."""
    wanted = Counter(entry.ref.trace_id for entry in entries)
    pending: dict[str, _Pending] = {}
    for entry in entries:
        if entry.fault is None:
            pending[entry.ref.trace_id] = _Pending(entry=entry, missing=len(entry.places))
        else:
            yield entry.fault
    for path, places in _by_file(pending).items():
        for item in _read_file(source, path, places, pending, packed_files):
            yield from [item] * wanted[item.trace_id or ""]


def _by_file(pending: Mapping[str, _Pending]) -> dict[Path, list[tuple[KeptLine, str, int]]]:
    """For each file the places to read, with the trace's id and the row's number in the trace."""
    places: dict[Path, list[tuple[KeptLine, str, int]]] = {}
    for trace_id, trace in pending.items():
        for number, place in enumerate(trace.entry.places):
            places.setdefault(place.path, []).append((place, trace_id, number))
    return {path: sorted(places[path], key=lambda at: at[0].offset) for path in sorted(places)}


def _read_file(
    source: str,
    path: Path,
    places: Sequence[tuple[KeptLine, str, int]],
    pending: dict[str, _Pending],
    packed_files: PackedFiles | None,
) -> Iterator[Trace | FetchError]:
    done = 0
    try:
        with open_lines(path, packed_files) as (file, _):
            for place, trace_id, number in places:
                line = line_at(file, place.offset)
                done += 1
                if trace_id in pending:
                    item = _add_line(source, line, place, number, pending[trace_id])
                    if item is not None:
                        del pending[trace_id]
                        yield item
    except OSError as error:
        message = printable(f"the file cannot be read: {error.strerror or error}")
        for place, trace_id, _ in places[done:]:
            if pending.pop(trace_id, None) is not None:
                yield _error(source, place, trace_id, message)


def _add_line(
    source: str, line: bytes, place: KeptLine, number: int, trace: _Pending
) -> Trace | FetchError | None:
    """The trace once its last line is there, an error when this is not its line, else None."""
    trace_id = trace.entry.ref.trace_id
    read = read_line(source, line)
    if isinstance(read, Trace) and read.trace_id == trace_id:
        return read
    if not isinstance(read, LogRow) or read.record.trace_id != trace_id:
        return _error(source, place, trace_id, "the line has changed since it was listed")
    trace.rows[number] = read
    trace.missing -= 1
    if trace.missing:
        return None
    try:
        return trace_of(source, [row for _, row in sorted(trace.rows.items())])
    except InvalidTraceError as error:
        return _error(source, place, trace_id, sentence(error))


def _error(source: str, place: KeptLine, trace_id: str, message: str) -> FetchError:
    return FetchError(source=source, location=place.location, message=message, trace_id=trace_id)

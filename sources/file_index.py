"""The traces of a set of files, by start: what a listing shows and where each trace's lines are."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock

from sources.faults import printable, sentence
from sources.file_paths import FoundFile, find_files
from sources.file_scan import FileScan, Place, scan_file
from sources.log_records import LogRow
from sources.log_traces import trace_of
from sources.trace_lines import BrokenTrace
from tailwatch.errors import InvalidTraceError, SourceError
from tailwatch.trace import FetchError, TraceRef

Key = tuple[datetime, str]
"""Start and id of a trace: the order of every listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One trace of the index: its listing, the places of its lines, and what is wrong with it."""

    ref: TraceRef
    places: tuple[Place, ...]
    fault: FetchError | None = None


class FileIndex:
    """What the files of some globs hold, kept in memory without texts.

    A file is scanned when it is first seen and again when its size or time of change differs.
    """

    def __init__(self, source: str, patterns: Sequence[str]) -> None:
        self.source = source
        self.patterns = tuple(patterns)
        self.malformed = 0
        self.has_output = False
        self.files: tuple[Path, ...] = ()
        self._scans: dict[FoundFile, FileScan] = {}
        self._entries: dict[str, Entry] = {}
        self._keys: list[Key] = []
        self._unreadable: list[FetchError] = []
        self._told: set[str] = set()
        self._lock = Lock()

    def refresh(self) -> None:
        """Looks for new, changed and vanished files, and reads those that need it.

        Raises SourceError when no file matches, or none of those that do can be read.
        """
        with self._lock:
            found = find_files(self.patterns)
            before, self._scans = self._scans, {}
            self._unreadable = []
            for file in found:
                self._scan(file, before.get(file))
            if len(self._unreadable) == len(found):
                first = self._unreadable[0]
                raise SourceError(
                    f"none of the files can be read: {first.location}: {first.message}"
                )
            if self._scans.keys() != before.keys():
                self._rebuild()

    def entry(self, trace_id: str) -> Entry | None:
        return self._entries.get(trace_id)

    def between(self, low: Key, end: datetime, limit: int) -> list[Entry]:
        """At most `limit` traces from `low` on that start before `end`, in order."""
        with self._lock:
            first = bisect_left(self._keys, low)
            last = bisect_left(self._keys, (end, ""))
            keys = self._keys[first : min(last, first + limit)]
            return [self._entries[trace_id] for _, trace_id in keys]

    def untold_errors(self) -> list[FetchError]:
        """What could not be read and was not handed out before."""
        with self._lock:
            known = [e for scan in self._scans.values() for e in scan.errors] + self._unreadable
            untold = [error for error in known if error.location not in self._told]
            self._told.update(error.location for error in untold)
            return untold

    @property
    def newest(self) -> datetime | None:
        return self._keys[-1][0] if self._keys else None

    def __len__(self) -> int:
        return len(self._keys)

    def _scan(self, file: FoundFile, known: FileScan | None) -> None:
        try:
            self._scans[file] = known or scan_file(self.source, file.path)
        except OSError as error:
            self._unreadable.append(
                FetchError(
                    source=self.source,
                    location=str(file.path),
                    message=printable(f"the file cannot be read: {error.strerror or error}"),
                )
            )

    def _rebuild(self) -> None:
        scans = self._scans.values()
        lines = [line for scan in scans for line in scan.lines]
        rows: dict[str, list[tuple[Place, LogRow | BrokenTrace]]] = {}
        entries: dict[str, Entry] = {}
        for place, read in lines:
            if isinstance(read, LogRow):
                rows.setdefault(read.record.trace_id, []).append((place, read))
            elif isinstance(read, BrokenTrace) and read.is_row:
                rows.setdefault(read.trace_id, []).append((place, read))
            elif isinstance(read, BrokenTrace):
                entries[read.trace_id] = _broken(self.source, place, read)
            else:
                entries[read.trace_id] = Entry(ref=read, places=(place,))
        for trace_id, of_trace in rows.items():
            if trace_id not in entries:
                entries[trace_id] = _joined(self.source, trace_id, of_trace)
        self._entries = entries
        self._keys = sorted((entry.ref.start_time, trace_id) for trace_id, entry in entries.items())
        self.files = tuple(file.path for file in self._scans)
        self.malformed = sum(scan.malformed for scan in scans)
        self.has_output = any(scan.has_output for scan in scans)


def _broken(source: str, place: Place, broken: BrokenTrace) -> Entry:
    return Entry(
        ref=TraceRef(source=source, trace_id=broken.trace_id, start_time=broken.start_time),
        places=(place,),
        fault=FetchError(
            source=source,
            location=place.location,
            message=broken.message,
            trace_id=broken.trace_id,
        ),
    )


def _joined(
    source: str, trace_id: str, lines: Iterable[tuple[Place, LogRow | BrokenTrace]]
) -> Entry:
    """The trace of some rows; the later of two rows with one span id stands for both."""
    rows: dict[object, tuple[Place, LogRow]] = {}
    start: datetime | None = None
    for place, read in lines:
        if isinstance(read, BrokenTrace):
            return _broken(source, place, read)
        rows.pop(read.record.span_id, None)
        rows[read.record.span_id or place] = (place, read)
        moment = read.record.timestamp
        start = moment if start is None else min(start, moment)
    places = tuple(place for place, _ in rows.values())
    try:
        ref = trace_of(source, [row for _, row in rows.values()]).ref
    except InvalidTraceError as error:
        message = sentence(error)
    else:
        return Entry(ref=ref, places=places)
    broken = BrokenTrace(
        trace_id=trace_id, start_time=start or ref.start_time, message=message, is_row=True
    )
    return _broken(source, places[0], broken)

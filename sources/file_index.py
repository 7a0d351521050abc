"""The traces of a set of files, by start: what a listing shows and where each trace's lines are."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock

from sources.faults import printable, sentence
from sources.file_catalog import Catalog
from sources.file_lines import mark_of
from sources.file_paths import FoundFile, find_files
from sources.file_scan import MAX_ERRORS_PER_FILE, ScannedLine, read_kept, scan_lines
from sources.kept_lines import KeptError, KeptLine, OvertakenError, ScannedFile
from sources.log_records import LogRow
from sources.log_traces import trace_of
from sources.trace_lines import BrokenTrace
from tailwatch.errors import InvalidTraceError, SourceError
from tailwatch.trace import FetchError, TraceRef

Key = tuple[datetime, str]
"""Start and id of a trace: the order of every listing."""

_LINES_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One trace of the index: its listing, its lines, and what is wrong with it."""

    ref: TraceRef
    places: tuple[KeptLine, ...]
    fault: FetchError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCounts:
    """How many files and traces there are, and how new the newest trace is."""

    files: int
    traces: int
    malformed: int
    has_output: bool
    newest: datetime | None


class FileIndex:
    """What the files of some globs hold, without texts, in a file of its own (`cache`; None: in a
    temporary one). Only some thousand lines of it are ever in memory.

    A file is read when it is first seen; one that has grown is read on from where it ended, and one
    that changed otherwise is read again.
    """

    def __init__(self, source: str, patterns: Sequence[str], cache: Path | None = None) -> None:
        self.source = source
        self.patterns = tuple(patterns)
        self._cache = cache
        self._catalog: Catalog | None = None
        self._unreadable: list[FetchError] = []
        self._told: set[str] = set()
        self._lock = Lock()

    def refresh(self) -> None:
        """Looks for new, changed and vanished files, and reads those that need it.

        Raises SourceError when no file matches, or none of those that do can be read.
        """
        with self._lock, self._opened().told():
            found = find_files(self.patterns)
            known = self._opened().files()
            gone = known.keys() - {file.path for file in found}
            if gone:
                with self._opened().writing():
                    self._opened().forget(gone)
            self._unreadable = []
            for file in found:
                self._look_at(file, known.get(file.path))
            self._date_again()
            if len(self._unreadable) == len(found):
                first = self._unreadable[0]
                raise SourceError(
                    f"none of the files can be read: {first.location}: {first.message}"
                )

    def entries(self, trace_ids: Sequence[str]) -> dict[str, Entry]:
        """The traces of these ids that are in any file."""
        with self._lock, self._opened().told():
            return self._entries(trace_ids)

    def between(self, low: Key, end: datetime, limit: int) -> list[Entry]:
        """At most `limit` traces from `low` on that start before `end`, in order."""
        with self._lock, self._opened().told():
            ids = self._opened().started(*low, end, limit)
            entries = self._entries(ids)
            return [entries[trace_id] for trace_id in ids if trace_id in entries]

    def untold_errors(self) -> list[FetchError]:
        """What could not be read and was not handed out before."""
        with self._lock, self._opened().told():
            told = [(e.location, e.message) for e in self._opened().errors()]
            for path, file in self._opened().files().items():
                more = file.malformed - MAX_ERRORS_PER_FILE
                if more > 0:
                    told.append((str(path), f"{more:,} more malformed lines"))
            known = [FetchError(source=self.source, location=at, message=m) for at, m in told]
            untold = [e for e in (*known, *self._unreadable) if e.location not in self._told]
            self._told.update(error.location for error in untold)
            return untold

    def counts(self) -> FileCounts:
        """How much there is in the files."""
        with self._lock, self._opened().told():
            files = self._opened().files().values()
            return FileCounts(
                files=sum(file.done for file in files),
                traces=self._opened().size(),
                malformed=sum(file.malformed for file in files),
                has_output=any(file.has_output for file in files),
                newest=self._opened().newest(),
            )

    def _opened(self) -> Catalog:
        if self._catalog is None:
            self._catalog = Catalog(self._cache)
        return self._catalog

    def _look_at(self, file: FoundFile, known: ScannedFile | None) -> None:
        if known is not None and known.done and known.stamp == file.stamp:
            return
        try:
            while (begun := self._begun(file)) is not None:
                with suppress(OvertakenError):
                    self._read_on(file, begun)
        except OSError as error:
            self._unreadable.append(
                FetchError(
                    source=self.source,
                    location=str(file.path),
                    message=printable(f"the file cannot be read: {error.strerror or error}"),
                )
            )

    def _begun(self, file: FoundFile) -> ScannedFile | None:
        """From where the file is to be read; None when nothing of it is new."""
        catalog = self._opened()
        with catalog.writing():
            known = catalog.files([file.path]).get(file.path)
            if known is None or known.stamp is None or file.stamp is None:
                return catalog.add_file(file)
            if known.done and known.stamp == file.stamp:
                return None
            same = known.stamp[:2] == file.stamp[:2] and known.read_to <= file.stamp[2]
            if not same or known.mark is None or mark_of(file.path, known.read_to) != known.mark:
                return catalog.add_file(file)
            gone = catalog.forget_after(known.file_id, known.read_to)
            return replace(known, malformed=known.malformed - gone)

    def _read_on(self, file: FoundFile, begun: ScannedFile) -> None:
        known = begun
        lines = scan_lines(self.source, file.path, known.read_to, known.lines + 1)
        done = False
        while not done:
            batch = list(islice(lines, _LINES_AT_ONCE))
            done = len(batch) < _LINES_AT_ONCE
            known = self._take_in(file, known, batch, done)

    def _take_in(
        self, file: FoundFile, known: ScannedFile, batch: Sequence[ScannedLine], done: bool
    ) -> ScannedFile:
        catalog = self._opened()
        lines = [each.found for each in batch if isinstance(each.found, KeptLine)]
        faults = [each.found for each in batch if isinstance(each.found, KeptError)]
        last = next((each for each in reversed(batch) if each.ended), None)
        read_to = known.read_to if last is None else last.end
        now = replace(
            known,
            stamp=file.stamp,
            done=done,
            read_to=read_to,
            lines=known.lines if last is None else last.number,
            mark=mark_of(file.path, read_to),
            malformed=known.malformed + len(faults),
            has_output=known.has_output or any(each.has_output for each in batch),
        )
        with catalog.writing():
            catalog.record_file(known, now)
            catalog.add_lines(known.file_id, lines)
            told = max(0, MAX_ERRORS_PER_FILE - known.malformed)
            catalog.add_errors(known.file_id, faults[:told])
            catalog.date(self._starts(lines))
        return now

    def _starts(self, lines: Sequence[KeptLine]) -> dict[str, datetime]:
        """When the traces of lines that were just added started."""
        times_of = Counter(line.trace_id for line in lines)
        known = self._opened().dated(list(times_of))
        alone = [
            line
            for line in lines
            if line.kind != "row" and times_of[line.trace_id] == 1 and line.trace_id not in known
        ]
        starts = {line.trace_id: _entry(self.source, [line]).ref.start_time for line in alone}
        joined = self._entries([trace_id for trace_id in times_of if trace_id not in starts])
        return starts | {trace_id: entry.ref.start_time for trace_id, entry in joined.items()}

    def _date_again(self) -> None:
        catalog = self._opened()
        while trace_ids := catalog.undated():
            entries = self._entries(trace_ids)
            with catalog.writing():
                catalog.date(
                    {i: entries[i].ref.start_time if i in entries else None for i in trace_ids}
                )

    def _entries(self, trace_ids: Sequence[str]) -> dict[str, Entry]:
        found = self._opened().lines_of(trace_ids)
        return {trace_id: _entry(self.source, lines) for trace_id, lines in found.items()}


def _entry(source: str, lines: Sequence[KeptLine]) -> Entry:
    """The trace of some lines: that of the last whole one, else of the rows together."""
    rows: list[tuple[KeptLine, LogRow | BrokenTrace]] = []
    for line in reversed(lines):
        read = read_kept(line)
        if isinstance(read, TraceRef):
            return Entry(ref=read, places=(line,))
        if isinstance(read, BrokenTrace) and not read.is_row:
            return _broken(source, line, read)
        rows.append((line, read))
    return _joined(source, rows[::-1])


def _broken(source: str, line: KeptLine, broken: BrokenTrace) -> Entry:
    return Entry(
        ref=TraceRef(source=source, trace_id=broken.trace_id, start_time=broken.start_time),
        places=(line,),
        fault=FetchError(
            source=source,
            location=line.location,
            message=broken.message,
            trace_id=broken.trace_id,
        ),
    )


def _joined(source: str, lines: Sequence[tuple[KeptLine, LogRow | BrokenTrace]]) -> Entry:
    """The trace of some rows; the later of two rows with one span id stands for both."""
    rows: dict[object, tuple[KeptLine, LogRow]] = {}
    for line, read in lines:
        if isinstance(read, BrokenTrace):
            return _broken(source, line, read)
        key = read.record.span_id or line.location
        rows.pop(key, None)
        rows[key] = (line, read)
    try:
        ref = trace_of(source, [row for _, row in rows.values()]).ref
    except InvalidTraceError as error:
        first, _ = lines[0]
        broken = BrokenTrace(
            trace_id=first.trace_id,
            start_time=min(r.record.timestamp for _, r in rows.values()),
            message=sentence(error),
            is_row=True,
        )
        return _broken(source, next(iter(rows.values()))[0], broken)
    return Entry(ref=ref, places=tuple(line for line, _ in rows.values()))

"""What was found in scanned files, kept in a SQLite file so that no file is read twice for it.

It holds no texts, can be deleted at any time and is made again; docs/decisions say why it is
SQLite.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from sources.file_paths import FoundFile
from sources.kept_lines import KeptError, KeptLine, OvertakenError, ScannedFile
from tailwatch.errors import SourceUnavailableError

FORMAT = 1
"""Raised when the tables or what is kept of a line change: an index of another format is remade."""

_BUSY_S = 60.0
_AT_ONCE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = """
CREATE TABLE files (
    file_id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, device INTEGER, inode INTEGER,
    size INTEGER, changed_ns INTEGER, done INTEGER NOT NULL, read_to INTEGER NOT NULL,
    lines INTEGER NOT NULL, mark BLOB, malformed INTEGER NOT NULL, has_output INTEGER NOT NULL
);
CREATE TABLE lines (
    file_id INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, trace_id TEXT NOT NULL,
    kind TEXT NOT NULL, listed BLOB NOT NULL, PRIMARY KEY (file_id, at)
) WITHOUT ROWID;
CREATE INDEX lines_of_trace ON lines (trace_id);
CREATE TABLE traces (trace_id TEXT PRIMARY KEY, start INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX traces_by_start ON traces (start, trace_id);
CREATE TABLE errors (
    file_id INTEGER NOT NULL, at INTEGER NOT NULL, location TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX errors_of_file ON errors (file_id, at);
"""


class Catalog:
    """The lines of some files by trace, and the traces by start. Not for several threads at once;
    several processes may use the same file. None as `path` keeps it in a temporary one.

    Its methods raise SourceUnavailableError when the file is locked for long, full or damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._place = "its temporary index" if path is None else f"the index {path}"
        try:
            self._open(path)
        except sqlite3.DatabaseError:
            if path is None:
                raise
            _delete(path)
            self._open(path)

    def _open(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            path or "", timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            with self.writing():
                (found,) = self._db.execute("PRAGMA user_version").fetchone()
                if found not in (0, FORMAT):
                    raise sqlite3.DatabaseError(f"format {found}")
                if found == 0:
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {FORMAT}")
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of what is written in it, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turns what goes wrong with the index itself into a SourceUnavailableError."""
        try:
            yield
        except sqlite3.Error as error:
            raise SourceUnavailableError(
                f"{self._place} of the trace files cannot be used: {error}; it may be deleted, "
                "and is made again from the files"
            ) from error

    def files(self, paths: Sequence[Path] | None = None) -> dict[Path, ScannedFile]:
        """The files that were read, at least in part: all of them, or those of `paths`."""
        columns = (
            "SELECT path, file_id, done, read_to, lines, mark, malformed, has_output, "
            "device, inode, size, changed_ns FROM files"
        )
        if paths is None:
            rows = self._db.execute(columns).fetchall()
        else:
            texts = [str(path) for path in paths]
            rows = self._db.execute(f"{columns} WHERE path IN ({_marks(texts)})", texts).fetchall()
        return {
            Path(row[0]): ScannedFile(
                file_id=row[1],
                done=bool(row[2]),
                read_to=row[3],
                lines=row[4],
                mark=row[5],
                malformed=row[6],
                has_output=bool(row[7]),
                stamp=None if row[8] is None else (row[8], row[9], row[10], row[11]),
            )
            for row in rows
        }

    def add_file(self, file: FoundFile) -> ScannedFile:
        """A file of which nothing was read yet; what was known under its path is forgotten."""
        self.forget([file.path])
        stamp = file.stamp or (None, None, None, None)
        cursor = self._db.execute(
            "INSERT INTO files (path, device, inode, size, changed_ns, done, read_to, lines, "
            "malformed, has_output) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0)",
            (str(file.path), *stamp),
        )
        return ScannedFile(file_id=cursor.lastrowid or 0, stamp=file.stamp)

    def record_file(self, before: ScannedFile, now: ScannedFile) -> None:
        """How far the file was read now. Raises OvertakenError, which is to end the transaction,
        when another process has read on in it since `before`.
        """
        stamp = now.stamp or (None, None, None, None)
        changed = self._db.execute(
            "UPDATE files SET device = ?, inode = ?, size = ?, changed_ns = ?, done = ?, "
            "read_to = ?, lines = ?, mark = ?, malformed = ?, has_output = ? "
            "WHERE file_id = ? AND read_to = ? AND lines = ?",
            (
                *stamp,
                now.done,
                now.read_to,
                now.lines,
                now.mark,
                now.malformed,
                now.has_output,
                before.file_id,
                before.read_to,
                before.lines,
            ),
        )
        if changed.rowcount != 1:
            raise OvertakenError

    def add_lines(self, file_id: int, lines: Iterable[KeptLine]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO lines VALUES (?, ?, ?, ?, ?, ?)",
            [(file_id, e.offset, e.number, e.trace_id, e.kind, e.listed) for e in lines],
        )

    def add_errors(self, file_id: int, errors: Iterable[KeptError]) -> None:
        self._db.executemany(
            "INSERT INTO errors VALUES (?, ?, ?, ?)",
            [(file_id, e.offset, e.location, e.message) for e in errors],
        )

    def forget(self, paths: Iterable[Path]) -> None:
        """Nothing is known of these files any more; their traces are dated anew."""
        for path in paths:
            row = self._db.execute("SELECT file_id FROM files WHERE path = ?", (str(path),))
            for (file_id,) in row.fetchall():
                self.forget_after(file_id, 0)
                self._db.execute("DELETE FROM files WHERE file_id = ?", (file_id,))

    def forget_after(self, file_id: int, offset: int) -> int:
        """Nothing is known of the file's lines from an offset on: their traces have no date until
        `date` gives them one. Returns how many errors went.
        """
        place = (file_id, offset)
        self._db.execute(
            "UPDATE traces SET start = ? WHERE trace_id IN "
            "(SELECT trace_id FROM lines WHERE file_id = ? AND at >= ?)",
            (UNDATED, *place),
        )
        self._db.execute("DELETE FROM lines WHERE file_id = ? AND at >= ?", place)
        return self._db.execute("DELETE FROM errors WHERE file_id = ? AND at >= ?", place).rowcount

    def undated(self, limit: int = _AT_ONCE) -> list[str]:
        """Some of the traces whose date is not known: a line of theirs went."""
        rows = self._db.execute(
            "SELECT trace_id FROM traces WHERE start = ? LIMIT ?", (UNDATED, limit)
        )
        return [trace_id for (trace_id,) in rows]

    def dated(self, trace_ids: Sequence[str]) -> set[str]:
        """Which of the traces are known already."""
        return {
            trace_id
            for ids in _chunks(trace_ids)
            for (trace_id,) in self._db.execute(
                f"SELECT trace_id FROM traces WHERE trace_id IN ({_marks(ids)})",  # noqa: S608
                ids,
            )
        }

    def date(self, starts: Mapping[str, datetime | None]) -> None:
        """When each trace started; None for one that is in no file any more."""
        self._db.executemany(
            "INSERT OR REPLACE INTO traces VALUES (?, ?)",
            [(i, _micros(start)) for i, start in starts.items() if start is not None],
        )
        self._db.executemany(
            "DELETE FROM traces WHERE trace_id = ?",
            [(trace_id,) for trace_id, start in starts.items() if start is None],
        )

    def started(self, low: datetime, after: str, end: datetime, limit: int) -> list[str]:
        """The ids of at most `limit` traces from (low, after) on that start before `end`, by start
        and id.
        """
        rows = self._db.execute(
            "SELECT trace_id FROM traces WHERE (start, trace_id) >= (?, ?) AND start < ? "
            "ORDER BY start, trace_id LIMIT ?",
            (_micros(low), after, _micros(end), limit),
        )
        return [trace_id for (trace_id,) in rows]

    def lines_of(self, trace_ids: Sequence[str]) -> dict[str, list[KeptLine]]:
        """The lines of each trace in the order of files and places."""
        found: list[KeptLine] = []
        for ids in _chunks(trace_ids):
            rows = self._db.execute(
                "SELECT path, number, at, trace_id, kind, listed FROM lines JOIN files "  # noqa: S608
                f"USING (file_id) WHERE trace_id IN ({_marks(ids)})",
                ids,
            )
            found += [
                KeptLine(
                    path=Path(path), number=number, offset=at, trace_id=i, kind=kind, listed=listed
                )
                for path, number, at, i, kind, listed in rows
            ]
        found.sort(key=lambda line: (line.trace_id, line.path, line.offset))
        return {i: list(lines) for i, lines in groupby(found, key=lambda line: line.trace_id)}

    def errors(self) -> list[KeptError]:
        """What could not be read, file by file."""
        rows = self._db.execute(
            "SELECT at, location, message FROM errors JOIN files USING (file_id) ORDER BY path, at"
        )
        return [KeptError(offset=at, location=place, message=text) for at, place, text in rows]

    def size(self) -> int:
        """How many traces there are."""
        (number,) = self._db.execute("SELECT count(*) FROM traces").fetchone()
        return int(number)

    def newest(self) -> datetime | None:
        """When the newest trace started."""
        (start,) = self._db.execute("SELECT max(start) FROM traces").fetchone()
        return None if start is None else _EPOCH + timedelta(microseconds=start)


UNDATED = -(2**62)
"""Stands in the index for a date that is not known just now; before every real one."""


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" * len(ids))


def _delete(path: Path) -> None:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)

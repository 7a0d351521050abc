"""Vectors of texts kept on disk, by model and text: documents repeat from hour to hour.

A SQLite file that holds no texts, may be deleted at any time, and never fails a run.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_VECTORS = 200_000
"""More than these are forgotten, those first that were not asked for lately: 350 MB of MiniLM's."""

_AT_ONCE = 500
_BUSY_S = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, text BLOB NOT NULL,
    vector BLOB NOT NULL, UNIQUE (model, text)
)
"""
_log = logging.getLogger(__name__)


class VectorCache:
    """Float32 vectors by model and hash of the text. Safe for several threads and processes.

    One that cannot be opened, read or written is left alone with a warning: everything is then
    computed as if nothing were known.
    """

    def __init__(self, path: Path, most: int = MOST_VECTORS) -> None:
        self._path = path
        self._most = most
        self._lock = threading.Lock()
        self._usable = True
        self._db: sqlite3.Connection | None = None

    def known(self, model: str, texts: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are known, by the texts' hashes."""
        found: dict[bytes, NDArray[np.float32]] = {}
        with self._lock:
            try:
                for some in _chunks(texts):
                    rows = self._opened().execute(
                        "SELECT text, vector, number FROM vectors WHERE model = ? "  # noqa: S608
                        f"AND text IN ({', '.join('?' * len(some))})",
                        (model, *some),
                    )
                    old: list[tuple[str, bytes, bytes]] = []
                    for text, vector, number in rows.fetchall():
                        found[text] = np.frombuffer(vector, dtype=np.float32)
                        if number < self._newest - self._most // 2:
                            old.append((model, text, vector))
                    self._write(old)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return found

    def remember(self, model: str, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keeps the vectors."""
        with self._lock:
            try:
                self._write([(model, text, np.float32(v).tobytes()) for text, v in vectors.items()])
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)

    def _write(self, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
        if not rows:
            return
        db = self._opened()
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT OR REPLACE INTO vectors (model, text, vector) VALUES (?, ?, ?)", rows
            )
            self._newest = int(db.execute("SELECT max(number) FROM vectors").fetchone()[0])
            db.execute("DELETE FROM vectors WHERE number <= ?", (self._newest - self._most,))

    def _opened(self) -> sqlite3.Connection:
        if not self._usable:
            raise sqlite3.OperationalError("it was given up")
        if self._db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(_TABLE)
            newest = db.execute("SELECT max(number) FROM vectors").fetchone()[0]
            self._db, self._newest = db, int(newest or 0)
        return self._db

    def _give_up(self, error: Exception) -> None:
        if self._usable:
            self._usable = False
            _log.warning(
                "the cache of vectors %s cannot be used (%s); it may be deleted, and texts are "
                "embedded anew",
                self._path,
                error,
            )


def _chunks(texts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE))

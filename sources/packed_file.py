"""Gzip files that can be read from the middle: places to unpack on from, noted while reading.

Gzip is read from its start or not at all, and each chunk of an hour's traces would unpack all that
is before it. A copy of the unpacker is such a place; it holds 40 KB and no file.
"""

import os
import zlib
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from io import SEEK_SET, BufferedReader, RawIOBase
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

from sources.file_paths import Stamp

MOST_PLACES: Final = 64
"""How many places of a file are kept: 2.6 MB."""

MOST_FILES: Final = 8
"""Of how many files places are kept, those that were read last."""

_APART_BYTES = 1024 * 1024
_NEAR = 8
"""So many places before the newest are all kept: the next chunk begins there, or a little before,
since a file is in the order in which traces ended."""
_GZIP_WBITS = 31
_PACKED_BYTES = 64 * 1024
_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to unpack on: `at` in the unpacked file, `packed_at` in the packed one."""

    at: int
    packed_at: int
    unpacker: Any


@dataclass(slots=True)
class Places:
    """The places of one file, some dense ones where it was read last and sparse ones elsewhere."""

    known: list[Place] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def before(self, offset: int) -> Place | None:
        """The last place that is not after the offset; None for the start of the file."""
        with self.lock:
            index = self._index(offset)
            return self.known[index - 1] if index else None

    def wants(self, offset: int) -> bool:
        """Whether there is no place near this one yet."""
        with self.lock:
            index = self._index(offset)
            before = self.known[index - 1].at if index else 0
            after = self.known[index].at if index < len(self.known) else None
        return offset - before >= _APART_BYTES and (
            after is None or after - offset >= _APART_BYTES // 2
        )

    def note(self, place: Place) -> None:
        """Keeps the place, and of too many one less where they are densest."""
        with self.lock:
            index = self._index(place.at)
            self.known.insert(index, place)
            if len(self.known) > MOST_PLACES:
                del self.known[self._densest(set(range(index - _NEAR, index + 1)))]

    def _index(self, offset: int) -> int:
        return bisect_right(self.known, offset, key=attrgetter("at"))

    def _densest(self, near: set[int]) -> int:
        """The place without which the gap between its neighbours is the smallest."""
        ats = [0, *(place.at for place in self.known)]
        inner = (i for i in range(len(self.known) - 1) if i not in near)
        return min(inner, key=lambda i: ats[i + 2] - ats[i])


class PackedFiles:
    """The places of the packed files that were read last. May be used by several threads."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[Path, Stamp], Places] = OrderedDict()
        self._lock = Lock()

    def opened(self, path: Path, file: IO[bytes]) -> BufferedReader:
        """The unpacked bytes of an open gzip file, to be read from anywhere.

        A read raises EOFError where the data end early, and zlib.error where they are damaged.
        """
        seen = os.fstat(file.fileno())
        stamp = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
        with self._lock:
            places = self._of.setdefault((path, stamp), Places())
            self._of.move_to_end((path, stamp))
            while len(self._of) > MOST_FILES:
                self._of.popitem(last=False)
        return BufferedReader(_Unpacked(file, places), _BUFFER_BYTES)


class _Unpacked(RawIOBase):
    """The bytes of a gzip file of one or more members; it notes places as it goes."""

    def __init__(self, file: IO[bytes], places: Places) -> None:
        self._file = file
        self._places = places
        self._start(None)

    def _start(self, place: Place | None) -> None:
        """Goes back, or on, to a place; to the start of the file for None."""
        self._at = place.at if place else 0
        self._packed_at = place.packed_at if place else 0
        self._rest = b""
        self._unpacker: Any = place.unpacker.copy() if place else zlib.decompressobj(_GZIP_WBITS)
        self._file.seek(self._packed_at)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        if whence != SEEK_SET:
            raise ValueError("a packed file is read from a place counted from its start")
        place = self._places.before(offset)
        if offset < self._at or (place is not None and place.at > self._at):
            self._start(place)
        while self._at < offset and self._unpacked(min(_BUFFER_BYTES, offset - self._at)):
            pass
        return self._at

    def readinto(self, buffer: Any) -> int:
        made = self._unpacked(len(buffer))
        buffer[: len(made)] = made
        return len(made)

    def _unpacked(self, most: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        if self._places.wants(self._at) and not self._unpacker.eof:
            packed_at = self._packed_at - len(self._rest)
            self._places.note(
                Place(at=self._at, packed_at=packed_at, unpacker=self._unpacker.copy())
            )
        while True:
            if not self._rest:
                self._rest = self._file.read(_PACKED_BYTES)
                self._packed_at += len(self._rest)
                if not self._rest:
                    if not self._unpacker.eof:
                        raise EOFError("the packed data end before their end was marked")
                    return b""
            if self._unpacker.eof:
                # zeros may follow a member, and after them the next member
                self._rest = self._rest.lstrip(b"\0")
                if self._rest:
                    self._unpacker = zlib.decompressobj(_GZIP_WBITS)
                continue
            made: bytes = self._unpacker.decompress(self._rest, most)
            eof = self._unpacker.eof
            self._rest = self._unpacker.unused_data if eof else self._unpacker.unconsumed_tail
            if made:
                self._at += len(made)
                return made

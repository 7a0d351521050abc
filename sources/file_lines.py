"""The lines of plain and gzip files with their places, never more than one line in memory."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from io import BufferedIOBase
from pathlib import Path

from sources.packed_file import PackedFiles

MAX_LINE_BYTES = 16 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_SKIP_BYTES = 1024 * 1024
_MARK_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its number from 1, where it starts in the (unpacked) file, its size, its bytes.

    `text` is None for a line over MAX_LINE_BYTES. `ended` is False for a last line without a
    newline in a plain file, which may still be being written.
    """

    number: int
    offset: int
    size: int
    text: bytes | None
    ended: bool


class CutOffError(OSError):
    """A compressed file that ends early or is damaged; what came before that place is good."""


@contextmanager
def open_lines(
    path: Path, packed_files: PackedFiles | None = None
) -> Iterator[tuple[BufferedIOBase, bool]]:
    """The file's bytes, unpacked if they are gzip, and whether they are; the name decides nothing.

    With `packed_files` a place in the middle of a packed file is found without unpacking all that
    is before it, if somewhere before it was read lately. Raises OSError when it cannot be read.
    """
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not packed:
            yield file, False
            return
        if packed_files is not None:
            with packed_files.opened(path, file) as unpacked:
                yield unpacked, True
            return
        with gzip.GzipFile(fileobj=file) as whole:
            yield whole, True


def read_lines(path: Path, offset: int = 0, number: int = 1) -> Iterator[Line]:
    """Each line of the file, blank ones included; from the line `number` on that is at `offset`.

    Raises OSError when the file cannot be read, CutOffError where compressed data end early.
    """
    with open_lines(path) as (file, packed):
        file.seek(offset)
        while raw := _readline(file, MAX_LINE_BYTES + 1):
            size, ended = len(raw), raw.endswith(b"\n")
            too_long = size > MAX_LINE_BYTES and not ended
            while too_long and not ended and (more := _readline(file, _SKIP_BYTES)):
                size, ended = size + len(more), more.endswith(b"\n")
            text = None if too_long else _clean(raw, offset)
            yield Line(number=number, offset=offset, size=size, text=text, ended=ended or packed)
            number, offset = number + 1, offset + size


def mark_of(path: Path, end: int) -> bytes | None:
    """What recognises the first `end` bytes of a plain file that only grows: a hash of its first
    and last few thousand of them. None for a packed file, which cannot be read on from a place.

    Raises OSError when the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(min(end, _MARK_BYTES))
        if head.startswith(_GZIP):
            return None
        file.seek(max(0, end - _MARK_BYTES))
        return blake2b(head + file.read(min(end, _MARK_BYTES)), digest_size=16).digest()


def line_at(file: BufferedIOBase, offset: int) -> bytes:
    """The line that starts at `offset` of a file from `open_lines`. Raises as `read_lines`."""
    return _clean(_readline(file, MAX_LINE_BYTES + 1, offset), offset)


def _readline(file: BufferedIOBase, limit: int, offset: int | None = None) -> bytes:
    try:
        if offset is not None:
            file.seek(offset)
        return file.readline(limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CutOffError(
            "the compressed data end early or are damaged: the file was cut off, "
            "or is still being written"
        ) from error


def _clean(raw: bytes, offset: int) -> bytes:
    return (raw.removeprefix(_BOM) if offset == 0 else raw).strip(b" \t\r\n")

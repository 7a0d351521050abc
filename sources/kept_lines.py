"""What is kept of the lines of scanned files, and how far each file was read."""

from dataclasses import dataclass
from pathlib import Path

from sources.file_paths import Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLine:
    """A line as it is kept: where it is, whose it is, and what a listing needs of it."""

    path: Path
    number: int
    offset: int
    trace_id: str
    kind: str
    listed: bytes

    @property
    def location(self) -> str:
        """How the place is told to people."""
        return f"{self.path}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptError:
    """A line that could not be read, as it is told to people."""

    offset: int
    location: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedFile:
    """How far a file was read: `read_to` bytes in `lines` lines, each ended by a newline.

    `stamp` is what the file looked like then; `mark` recognises its beginning and the bytes before
    `read_to` (None: of no use for reading on). `done` is False while a scan is not at its end.
    """

    file_id: int
    stamp: Stamp | None
    done: bool = False
    read_to: int = 0
    lines: int = 0
    mark: bytes | None = None
    malformed: int = 0
    has_output: bool = False


class OvertakenError(Exception):
    """Another process has read the same file meanwhile."""

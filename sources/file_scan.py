"""What one file holds, without its texts: the traces' listing and where each line stands."""

from dataclasses import dataclass, field
from pathlib import Path

from sources.faults import printable
from sources.file_lines import MAX_LINE_BYTES, CutOffError, Line, read_lines
from sources.log_records import LogRow
from sources.trace_lines import BrokenTrace, Malformed, read_line
from tailwatch.trace import FetchError, Trace, TraceRef

MAX_ERRORS_PER_FILE = 1000
"""More malformed lines than these are counted, not described one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a line stands; `location` is how it is told to people."""

    path: Path
    number: int
    offset: int

    @property
    def location(self) -> str:
        return f"{self.path}:{self.number}"


@dataclass(slots=True, kw_only=True)
class FileScan:
    """The lines of one file: whole traces, log rows, broken traces; and what could not be read."""

    lines: list[tuple[Place, TraceRef | LogRow | BrokenTrace]] = field(default_factory=list)
    errors: list[FetchError] = field(default_factory=list)
    malformed: int = 0
    has_output: bool = False


def scan_file(source: str, path: Path) -> FileScan:
    """Everything in the file, in order. Raises OSError when it cannot be opened or read."""
    scan = FileScan()
    last = 0
    try:
        for line in read_lines(path):
            last = line.number
            if line.text != b"":
                _add(scan, source, path, line)
    except CutOffError as error:
        _add_error(scan, source, f"{path}:{last + 1}", str(error))
    if scan.malformed > MAX_ERRORS_PER_FILE:
        more = scan.malformed - MAX_ERRORS_PER_FILE
        scan.errors.append(
            FetchError(source=source, location=str(path), message=f"{more:,} more malformed lines")
        )
    return scan


def _add(scan: FileScan, source: str, path: Path, line: Line) -> None:
    place = Place(path=path, number=line.number, offset=line.offset)
    if line.text is None:
        limit = MAX_LINE_BYTES // 1024**2
        _add_error(scan, source, place.location, f"the line is longer than {limit} MiB")
        return
    read = read_line(source, line.text)
    if isinstance(read, Malformed):
        if line.ended or not read.may_be_unfinished:
            _add_error(scan, source, place.location, read.message)
    elif isinstance(read, Trace):
        scan.has_output = scan.has_output or bool(read.output)
        scan.lines.append((place, read.ref))
    elif isinstance(read, LogRow):
        scan.has_output = scan.has_output or bool(read.record.output)
        scan.lines.append((place, read.without_texts()))
    else:
        scan.lines.append((place, read))


def _add_error(scan: FileScan, source: str, location: str, message: str) -> None:
    scan.malformed += 1
    if scan.malformed <= MAX_ERRORS_PER_FILE:
        scan.errors.append(FetchError(source=source, location=location, message=printable(message)))

"""What one file holds, without its texts: each line as it is kept, or what is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from sources.faults import printable
from sources.file_lines import MAX_LINE_BYTES, CutOffError, Line, read_lines
from sources.kept_lines import KeptError, KeptLine
from sources.log_records import LogRow
from sources.trace_lines import BrokenTrace, Malformed, read_line
from tailwatch.trace import Trace, TraceRef

MAX_ERRORS_PER_FILE = 1000
"""More malformed lines than these are counted, not described one by one."""

TRACE_REF = TypeAdapter(TraceRef)
LOG_ROW = TypeAdapter(LogRow)
BROKEN = TypeAdapter(BrokenTrace)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedLine:
    """One line that holds something. `ended` says that a newline closed it, at `end` bytes."""

    found: KeptLine | KeptError
    number: int
    ended: bool
    end: int
    has_output: bool = False


def scan_lines(source: str, path: Path, offset: int, number: int) -> Iterator[ScannedLine]:
    """Everything in the file from the line `number` on, which is at `offset`, in order.

    Raises OSError when it cannot be opened or read.
    """
    last, end = number - 1, offset
    try:
        for line in read_lines(path, offset, number):
            last, end = line.number, line.offset + line.size
            if line.text != b"":
                yield from _scanned(source, path, line)
    except CutOffError as error:
        location = f"{path}:{last + 1}"
        fault = KeptError(offset=end, location=location, message=printable(str(error)))
        yield ScannedLine(found=fault, number=last + 1, ended=False, end=end)


def read_kept(line: KeptLine) -> TraceRef | LogRow | BrokenTrace:
    """What a listing needs of a line, as it was kept."""
    kinds: Mapping[str, TypeAdapter[TraceRef] | TypeAdapter[LogRow] | TypeAdapter[BrokenTrace]]
    kinds = {"trace": TRACE_REF, "row": LOG_ROW, "broken": BROKEN}
    return kinds[line.kind].validate_json(line.listed)


def _scanned(source: str, path: Path, line: Line) -> Iterator[ScannedLine]:
    location = f"{path}:{line.number}"
    has_output = False
    found: KeptLine | KeptError

    def fault(message: str) -> KeptError:
        return KeptError(offset=line.offset, location=location, message=printable(message))

    def kept(trace_id: str, kind: str, listed: bytes) -> KeptLine:
        return KeptLine(
            path=path,
            number=line.number,
            offset=line.offset,
            trace_id=trace_id,
            kind=kind,
            listed=listed,
        )

    if line.text is None:
        found = fault(f"the line is longer than {MAX_LINE_BYTES // 1024**2} MiB")
    else:
        read = read_line(source, line.text)
        if isinstance(read, Malformed):
            if not line.ended and read.may_be_unfinished:
                return
            found = fault(read.message)
        elif isinstance(read, Trace):
            has_output = bool(read.output)
            found = kept(read.trace_id, "trace", TRACE_REF.dump_json(read.ref))
        elif isinstance(read, LogRow):
            has_output = bool(read.record.output)
            found = kept(read.record.trace_id, "row", LOG_ROW.dump_json(read.without_texts()))
        else:
            found = kept(read.trace_id, "broken", BROKEN.dump_json(read))
    yield ScannedLine(
        found=found,
        number=line.number,
        ended=line.ended,
        end=line.offset + line.size,
        has_output=has_output,
    )

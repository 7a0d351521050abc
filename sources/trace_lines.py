"""From one line of a file to a trace, a log row, or what is wrong with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from sources.faults import sentence
from sources.log_records import LogRow, read_row
from sources.log_traces import spans_of
from tailwatch.errors import InvalidTraceError
from tailwatch.trace import Trace
from tailwatch.trace_checks import utc

TRACE = TypeAdapter(Trace)
_MOMENT = TypeAdapter(datetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A line that cannot be told to be any trace at any time.

    `may_be_unfinished` says that it is not JSON, or not yet.
    """

    message: str
    may_be_unfinished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenTrace:
    """A line whose trace and time are known and whose values cannot have happened."""

    trace_id: str
    start_time: datetime
    message: str
    is_row: bool


ReadLine = Trace | LogRow | BrokenTrace | Malformed


def read_line(source: str, line: bytes) -> ReadLine:
    """What a line holds: tailwatch's own trace if it has `start_time`, a log row if `timestamp`.

    Never raises, whatever the bytes.
    """
    try:
        fields = from_json(line)
    except ValueError as error:
        return Malformed(message=f"not JSON: {sentence(error)}", may_be_unfinished=True)
    if not isinstance(fields, dict):
        return Malformed(message="not a JSON object; each line must be one {...}")
    if "start_time" in fields:
        is_row, time_field = False, "start_time"
    elif "timestamp" in fields:
        is_row, time_field = True, "timestamp"
    else:
        return Malformed(
            message="neither `start_time` (a trace) nor `timestamp` (a log record) is in the object"
        )
    try:
        trace_id = _trace_id(fields.get("trace_id"))
        start_time = _moment(time_field, fields[time_field])
    except InvalidTraceError as error:
        return Malformed(message=sentence(error))
    try:
        read = _read_row(fields) if is_row else _read_trace(source, fields)
        _refuse_not_finite_anywhere(fields)
        return read
    except ValueError as error:
        return BrokenTrace(
            trace_id=trace_id, start_time=start_time, message=sentence(error), is_row=is_row
        )


def _read_trace(source: str, fields: Mapping[str, Any]) -> Trace:
    if "source" in fields:
        raise InvalidTraceError("source: leave this field out; the plan names the source")
    return TRACE.validate_python({"source": source, **fields})


def _read_row(fields: Mapping[str, Any]) -> LogRow:
    """The row, once it is sure that it can be a step of a trace."""
    row = read_row(fields)
    spans_of(row)
    return row


def _trace_id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidTraceError("trace_id is missing or empty; it must be a text that names it")
    return value


def _moment(name: str, value: object) -> datetime:
    try:
        return utc(name, _MOMENT.validate_python(value))
    except ValidationError:
        raise InvalidTraceError(
            f"{name} is no time; write ISO 8601 with a zone, as in 2026-03-02T10:00:00Z"
        ) from None


def _refuse_not_finite_anywhere(fields: Mapping[str, Any]) -> None:
    """JSON has no NaN and no infinity, and a database refuses them in free-form fields too."""
    stack: list[Any] = [fields]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, float) and not math.isfinite(value):
            raise InvalidTraceError(f"a free-form field holds {value}, which is not a JSON number")

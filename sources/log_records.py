"""Structured log records: one object a line, one step of a trace each.

The rows of one trace id make one trace.

The format is for applications that log numbers rather than trace trees. See docs/traces.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from tailwatch.errors import InvalidTraceError
from tailwatch.trace import Feedback, FeedbackKind, SpanKind
from tailwatch.trace_checks import refuse_long, refuse_negative, refuse_not_finite, utc


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDocument:
    """A retrieved document in a log record; without `rank`, its place in the list counts."""

    __pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str | None = None
    rank: int | None = None
    score: float | None = None
    text: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One step of a request as an application's log has it.

    `timestamp` is the start of the step: ISO 8601 with a time zone, or seconds since 1970.
    `latency_ms` and `ttft_ms` are milliseconds, `cost_usd` US dollars. `quality_score` is a score
    the application gave itself, never ground truth. A document may be its text alone; feedback may
    be a number from -1 to 1 or true or false alone, which is a thumb.
    """

    __pydantic_config__ = ConfigDict(coerce_numbers_to_str=True)

    trace_id: str
    timestamp: datetime
    span_id: str | None = None
    parent_id: str | None = None
    kind: SpanKind = SpanKind.LLM
    name: str | None = None
    model: str | None = None
    provider: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    quality_score: float | None = None
    semantic_hash: str | None = None
    input: str | None = None
    output: str | None = None
    reference: str | None = None
    documents: tuple[LoggedDocument | str, ...] | None = None
    feature: str | None = None
    environment: str | None = None
    release: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    error_type: str | None = None
    feedback: Feedback | tuple[Feedback, ...] | bool | float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timestamp", utc("timestamp", self.timestamp))
        for name in ("latency_ms", "quality_score"):
            refuse_not_finite(name, getattr(self, name))
        refuse_negative("latency_ms", self.latency_ms)
        refuse_long("reference", self.reference)
        for name in ("span_id", "parent_id"):
            if not (getattr(self, name) or "").strip():
                object.__setattr__(self, name, None)
        object.__setattr__(self, "feedback", self.all_feedback)

    @property
    def end_time(self) -> datetime | None:
        """When the step ended; None when its latency is not known."""
        if self.latency_ms is None:
            return None
        try:
            return self.timestamp + timedelta(milliseconds=self.latency_ms)
        except OverflowError as error:
            raise InvalidTraceError(
                f"latency_ms is {self.latency_ms}; it ends after the year 9999"
            ) from error

    @property
    def all_feedback(self) -> tuple[Feedback, ...]:
        if self.feedback is None:
            return ()
        if isinstance(self.feedback, Feedback):
            return (self.feedback,)
        if isinstance(self.feedback, tuple):
            return self.feedback
        thumb = self.feedback
        if isinstance(thumb, bool):
            thumb = 1.0 if thumb else -1.0
        return (Feedback(kind=FeedbackKind.THUMB, value=thumb),)


RECORD = TypeAdapter(LogRecord)
COLUMNS = frozenset(column.name for column in fields(LogRecord))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A log record with the columns the format does not know."""

    record: LogRecord
    extra: Mapping[str, Any]

    def without_texts(self) -> "LogRow":
        """All of the row that a listing needs."""
        record = replace(
            self.record,
            input=None,
            output=None,
            reference=None,
            documents=None,
            feedback=tuple(replace(f, text=None) for f in self.record.all_feedback),
        )
        return LogRow(record=record, extra={})


def read_row(columns: Mapping[str, Any]) -> LogRow:
    """The row in a parsed line. Raises ValueError (pydantic's, or InvalidTraceError)."""
    known = {name: value for name, value in columns.items() if name in COLUMNS}
    extra = {name: value for name, value in columns.items() if name not in COLUMNS}
    return LogRow(record=RECORD.validate_python(known), extra=extra)


def in_time_order(rows: Sequence[LogRow]) -> list[LogRow]:
    """The rows by start; rows of one moment stay in the order of the files."""
    return sorted(rows, key=lambda row: row.record.timestamp)

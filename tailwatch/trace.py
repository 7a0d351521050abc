"""What production did, whatever platform recorded it.

Names follow the OpenTelemetry GenAI conventions without their prefix. Times are aware UTC,
durations are milliseconds, money is US dollars, missing is `None` and never 0. A value that cannot
have happened (an end before its start, negative tokens, a cost that is not a number) is refused
with `InvalidTraceError` when the trace or span is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from tailwatch.errors import InvalidTraceError
from tailwatch.trace_checks import (
    refuse_broken_tree,
    refuse_empty,
    refuse_end_before_start,
    refuse_huge,
    refuse_long,
    refuse_negative,
    refuse_not_finite,
    utc,
)

MEASURES = ("latency_ms", "ttft_ms", "cost_usd", "input_tokens", "output_tokens")
"""The operational values a trace carries by itself, known for every listed trace."""

_ONLY_KNOWN_FIELDS = ConfigDict(extra="forbid")


class SpanKind(StrEnum):
    LLM = "llm"
    EMBEDDING = "embedding"
    RETRIEVER = "retriever"
    RERANKER = "reranker"
    TOOL = "tool"
    AGENT = "agent"
    CHAIN = "chain"
    GUARDRAIL = "guardrail"
    EVALUATOR = "evaluator"
    OTHER = "other"


class Status(StrEnum):
    OK = "ok"
    ERROR = "error"
    UNSET = "unset"


class CostBasis(StrEnum):
    """Where a cost comes from."""

    PLATFORM = "platform"
    PRICE_TABLE = "price_table"
    NONE = "none"


class FeedbackKind(StrEnum):
    THUMB = "thumb"
    RATING = "rating"
    TEXT = "text"
    RETRY = "retry"
    """The user asked for the answer again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One result of a retriever; `rank` counts from 0, best first."""

    __pydantic_config__ = _ONLY_KNOWN_FIELDS

    rank: int
    id: str | None = None
    score: float | None = None
    text: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_negative("rank", self.rank)
        refuse_not_finite("score", self.score)
        refuse_long("text", self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by an agent, with what came back."""

    __pydantic_config__ = _ONLY_KNOWN_FIELDS

    name: str
    call_id: str | None = None
    arguments: Any = None
    result: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a user said about an answer; `value` is from -1 (bad) to 1 (good)."""

    __pydantic_config__ = _ONLY_KNOWN_FIELDS

    kind: FeedbackKind
    value: float | None = None
    text: str | None = None
    user_id: str | None = None
    time: datetime | None = None
    span_id: str | None = None

    def __post_init__(self) -> None:
        refuse_not_finite("value", self.value)
        if self.value is not None and not -1 <= self.value <= 1:
            raise InvalidTraceError(f"feedback value is {self.value}; it must be from -1 to 1")
        refuse_long("text", self.text)
        if self.time is not None:
            object.__setattr__(self, "time", utc("time", self.time))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of a trace. `end_time` is None while it runs."""

    __pydantic_config__ = _ONLY_KNOWN_FIELDS

    span_id: str
    start_time: datetime
    end_time: datetime | None = None
    parent_id: str | None = None
    kind: SpanKind = SpanKind.OTHER
    name: str | None = None
    operation: str | None = None
    status: Status = Status.UNSET
    error_type: str | None = None
    error_message: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    provider: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    ttft_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    input_messages: tuple[Mapping[str, Any], ...] = ()
    output_messages: tuple[Mapping[str, Any], ...] = ()
    input: str | None = None
    output: str | None = None
    query: str | None = None
    documents: tuple[RetrievedDocument, ...] = ()
    tool: ToolCall | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    source_ref: str | None = None

    def __post_init__(self) -> None:
        refuse_empty("span_id", self.span_id)
        object.__setattr__(self, "start_time", utc("start_time", self.start_time))
        if self.end_time is not None:
            object.__setattr__(self, "end_time", utc("end_time", self.end_time))
            refuse_end_before_start(self.start_time, self.end_time)
        for name in ("ttft_ms", "cost_usd"):
            refuse_not_finite(name, getattr(self, name))
        for name in (
            "ttft_ms",
            "cost_usd",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_creation_tokens",
            "reasoning_tokens",
        ):
            refuse_negative(name, getattr(self, name))
        for name in ("input", "output", "query", "error_message"):
            refuse_long(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request to the application, from the user's question to the final answer.

    The key of a trace is (`source`, `trace_id`); the id is the source's own, verbatim. `complete`
    says that the root span was seen and has ended. `reference` is a known good answer, where the
    application has one. `semantic_hash` identifies the output's meaning, for deduplication only.
    """

    __pydantic_config__ = _ONLY_KNOWN_FIELDS

    source: str
    trace_id: str
    start_time: datetime
    end_time: datetime | None = None
    root_span_id: str | None = None
    name: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    status: Status = Status.UNSET
    error_type: str | None = None
    complete: bool = True
    conversation_id: str | None = None
    user_id: str | None = None
    feature: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: tuple[str, ...] = ()
    model: str | None = None
    provider: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cost_basis: CostBasis = CostBasis.NONE
    input: str | None = None
    output: str | None = None
    reference: str | None = None
    feedback: tuple[Feedback, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    url: str | None = None
    semantic_hash: str | None = None
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        refuse_empty("trace_id", self.trace_id)
        object.__setattr__(self, "start_time", utc("start_time", self.start_time))
        if self.end_time is not None:
            object.__setattr__(self, "end_time", utc("end_time", self.end_time))
            refuse_end_before_start(self.start_time, self.end_time)
        for name in MEASURES:
            refuse_not_finite(name, getattr(self, name))
            refuse_negative(name, getattr(self, name))
            refuse_huge(name, getattr(self, name))
        for name, value in self.scores.items():
            refuse_not_finite(f"scores.{name}", value)
        for name in ("input", "output", "reference"):
            refuse_long(name, getattr(self, name))
        refuse_broken_tree({s.span_id: s.parent_id for s in self.spans}, len(self.spans))

    @property
    def documents(self) -> tuple[RetrievedDocument, ...]:
        """The documents the answer was built on: the last reranker's, else the last retriever's.

        Best rank first; empty when nothing was retrieved.
        """
        for kind in (SpanKind.RERANKER, SpanKind.RETRIEVER):
            with_documents = [s for s in self.spans if s.kind is kind and s.documents]
            if with_documents:
                last = max(with_documents, key=lambda span: span.start_time)
                return tuple(sorted(last.documents, key=lambda document: document.rank))
        return ()

    @property
    def ref(self) -> "TraceRef":
        """The trace as a listing shows it: everything but its texts and spans."""
        return TraceRef(
            source=self.source,
            trace_id=self.trace_id,
            start_time=self.start_time,
            status=self.status,
            error_type=self.error_type,
            complete=self.complete,
            name=self.name,
            conversation_id=self.conversation_id,
            feature=self.feature,
            environment=self.environment,
            release=self.release,
            tags=self.tags,
            model=self.model,
            provider=self.provider,
            prompt_name=self.prompt_name,
            prompt_version=self.prompt_version,
            latency_ms=self.latency_ms,
            ttft_ms=self.ttft_ms,
            cost_usd=self.cost_usd,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            thumb=next((f.value for f in self.feedback if f.kind is FeedbackKind.THUMB), None),
            retried=any(f.kind is FeedbackKind.RETRY for f in self.feedback),
            semantic_hash=self.semantic_hash,
            url=self.url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRef:
    """A trace as a source lists it: cheap, without texts or spans, enough to sample and to measure.

    `thumb` is the user's thumb from -1 to 1; `retried` says the user asked again.
    """

    source: str
    trace_id: str
    start_time: datetime
    status: Status = Status.UNSET
    error_type: str | None = None
    complete: bool = True
    name: str | None = None
    conversation_id: str | None = None
    feature: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: tuple[str, ...] = ()
    model: str | None = None
    provider: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    thumb: float | None = None
    retried: bool = False
    semantic_hash: str | None = None
    url: str | None = None


SEGMENT_FIELDS = (
    "feature",
    "model",
    "prompt_version",
    "prompt_name",
    "environment",
    "release",
    "provider",
    "name",
    "error_type",
)
"""The trace fields a plan may cut its results by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchError:
    """A trace or an input line that could not be read: recorded, while its neighbours go on.

    `location` finds it again: a file and line number, or the trace id at its platform.
    """

    source: str
    location: str
    message: str
    trace_id: str | None = None

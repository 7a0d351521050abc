"""What one evaluator says about one trace: a score, a reason why there is none, or a failure.

Three types, so that no number ever stands for "no number": a failure cannot enter a percentile.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

_Number = TypeVar("_Number", int, float)


class SkipReason(StrEnum):
    """Why an evaluator has nothing to say. None of these is a fault of the evaluator."""

    NOT_CONFIGURED = "not_configured"
    """A model, an endpoint or an extra it needs is not set up."""
    NOT_APPLICABLE = "not_applicable"
    """It does not concern this kind of trace."""
    MISSING_INPUT = "missing_input"
    MISSING_OUTPUT = "missing_output"
    MISSING_DOCUMENTS = "missing_documents"
    MISSING_REFERENCE = "missing_reference"
    MISSING_JUDGEMENTS = "missing_judgements"
    """No relevance judgements for this query, or none for a document that counts."""
    OVER_BUDGET = "over_budget"
    """The money of this run was used up; a backfill can score it later."""
    IN_BATCH = "in_batch"
    """Its question is in a batch without an answer yet. Never recorded: it is evaluated then."""
    NEVER_SEND = "never_send"
    """The plan says that no judge may see a trace like this."""


class FailureKind(StrEnum):
    """The failures that evaluators share. An exception's own name stands where none fits."""

    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    BAD_OUTPUT = "bad_output"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    CONTENT_FILTERED = "content_filtered"
    UNAVAILABLE = "unavailable"
    OUT_OF_SCALE = "out_of_scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an outcome took: money in USD, tokens, time in milliseconds. None is unknown or free."""

    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            cost_usd=_add(self.cost_usd, other.cost_usd),
            input_tokens=_add(self.input_tokens, other.input_tokens),
            output_tokens=_add(self.output_tokens, other.output_tokens),
            latency_ms=_add(self.latency_ms, other.latency_ms),
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A verdict as a finite number, with its label and reason where the evaluator gives them.

    `details` is small JSON that helps a reader, such as the least supported sentence.
    Raises ValueError for NaN and infinities.
    """

    value: float
    label: str | None = None
    explanation: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = NO_USAGE

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"a score must be a finite number, not {self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """There is nothing to score here, for a reason that coverage counts."""

    reason: SkipReason
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The evaluator should have scored and could not. `retryable` says another try may succeed."""

    error_type: str
    message: str
    retryable: bool = False
    usage: Usage = NO_USAGE


Outcome = Score | Skipped | Failed


def _add(a: _Number | None, b: _Number | None) -> _Number | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b

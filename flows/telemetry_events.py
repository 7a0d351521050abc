"""Evaluations as events for OpenTelemetry: `gen_ai.evaluation.result`, linked to their traces."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.keep import kept
from tailwatch.evaluation import Evaluation
from tailwatch.outcome import Failed, Score
from tailwatch.plan import Plan

EVENT_NAME: Final = "gen_ai.evaluation.result"
"""Of the GenAI semantic conventions of OpenTelemetry, as are the attributes in `gen_ai`."""

MOST_CHARS: Final = 4_000
"""No text of an event is longer, so that no batch of them is too large for a collector."""

_TRACE_ID = re.compile("[0-9a-fA-F]{32}")
_SPAN_ID = re.compile("[0-9a-fA-F]{16}")
_NO_UTF_8 = re.compile("[\x00\ud800-\udfff]")

Attribute = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. The ids are those of the evaluated trace and span, None where they are not of
    OpenTelemetry's form; there is no span without a trace.
    """

    at: datetime
    trace_id: int | None
    span_id: int | None
    attributes: Mapping[str, Attribute]


def event_of(evaluation: Evaluation, plan: Plan) -> Event:
    """The event that tells of a score or a failure; explanations as far as the plan allows.

    `tailwatch.evaluation.id` is the same whenever the same evaluation is told again.
    """
    trace_id = _number(_TRACE_ID, evaluation.trace_id)
    span_id = None if trace_id is None else _number(_SPAN_ID, evaluation.span_id)
    series = evaluation.series
    attributes: dict[str, Attribute | None] = {
        "gen_ai.evaluation.name": series.evaluator,
        **_outcome(evaluation, plan),
        "tailwatch.evaluation.id": evaluation.evaluation_id,
        "tailwatch.evaluation.version": series.version,
        "tailwatch.evaluation.judge": series.judge or None,
        "tailwatch.evaluation.inclusion_probability": evaluation.inclusion_probability,
        "tailwatch.source": evaluation.source,
        "tailwatch.hour": evaluation.window.start.isoformat(),
        "tailwatch.run.id": evaluation.run_id,
        "tailwatch.trace.id": evaluation.trace_id if trace_id is None else None,
        "tailwatch.span.id": evaluation.span_id if span_id is None else None,
    }
    return Event(
        at=evaluation.evaluated_at,
        trace_id=trace_id,
        span_id=span_id,
        attributes={
            name: _sendable(value) for name, value in attributes.items() if value is not None
        },
    )


def _outcome(evaluation: Evaluation, plan: Plan) -> dict[str, Attribute | None]:
    outcome = evaluation.outcome
    if isinstance(outcome, Score):
        explanation = kept(outcome.explanation, plan.keep_text)
        return {
            "gen_ai.evaluation.score.value": outcome.value,
            "gen_ai.evaluation.score.label": outcome.label,
            "gen_ai.evaluation.explanation": explanation if plan.telemetry.explanations else None,
        }
    return {"error.type": outcome.error_type} if isinstance(outcome, Failed) else {}


def _number(form: re.Pattern[str], text: str | None) -> int | None:
    """The id as a number; None for another form and for zeros, which stand for no id."""
    return int(text, 16) or None if text is not None and form.fullmatch(text) else None


def _sendable(value: Attribute) -> Attribute:
    """Protobuf takes no lone surrogate, and not every receiver takes a NUL."""
    if not isinstance(value, str):
        return float(value)
    return _NO_UTF_8.sub("\ufffd", value[:MOST_CHARS])

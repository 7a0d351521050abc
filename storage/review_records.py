"""What the store remembers of reviews beside the labels: validations of judges, and bridges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRecord:
    """A judge compared with people under one rubric version and prompt.

    `prompt_hash` stands for all that the judge is told; `labels_from` says where the labels are
    from, such as a file's name; `card` has the figures.
    """

    validation_id: str
    series: Series
    prompt_hash: str
    at: datetime
    who: str
    labels_from: str
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecord:
    """One sample of the window's traces, scored under two series of the same evaluator."""

    bridge_id: str
    old: Series
    new: Series
    window: Window
    at: datetime
    who: str
    comparison: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOutput:
    """A recorded score of one trace, with the chance that the sample took it.

    `model` wrote the answer; None where that is not known.
    """

    trace_id: str
    value: float
    label: str | None
    explanation: str | None
    inclusion_probability: float
    model: str | None
    hour: Window

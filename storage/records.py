"""Values that only the store speaks of: its ledgers, and traces and scores as it kept them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tailwatch.alert import Segment
from tailwatch.evaluation import Series
from tailwatch.plan import KeepText
from tailwatch.protocols import AlertMessage
from tailwatch.trace import RetrievedDocument, TraceRef
from tailwatch.window import Window

RunKind = Literal["hourly", "backfill", "alerts", "canary", "validation", "bridge"]
RunStatus = Literal["running", "done", "failed"]
WindowStatus = Literal["done", "failed"]
NoticeState = Literal["pending", "sent", "given_up"]
BaselineStatus = Literal["learning", "pinned", "superseded"]
OutcomeKind = Literal["score", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a flow. `counts` is what it did, such as traces listed; `cost_usd` what it paid.

    A run that is "running" long after its start was killed.
    """

    run_id: str
    kind: RunKind
    started_at: datetime
    detail: str | None = None
    status: RunStatus = "running"
    ended_at: datetime | None = None
    error: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRecord:
    """The account of one evaluated hour.

    The store counts `attempts` (the runs that finished it) and `restated` (those that changed the
    counts of an hour that was done); what is handed in for these two is not looked at. `restating`
    names the run that began to change what a done hour's summaries were made of, and has not
    written them anew.
    """

    source: str
    window: Window
    status: WindowStatus
    listed: int
    scored: int
    failed: int
    late: int
    run_id: str
    evaluated_at: datetime
    attempts: int = 1
    restated: int = 0
    restating: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOutcome:
    """What is recorded for a trace; `reason` is the skip reason or the type of the failure.

    `inclusion_probability` is None where the trace is not in the hour's sample; `run_id` names the
    run that recorded it.
    """

    kind: OutcomeKind
    reason: str | None = None
    retryable: bool = False
    inclusion_probability: float | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrace:
    """A trace as the store kept it. `text_kept` is None until the trace was fetched."""

    ref: TraceRef
    first_seen_at: datetime
    window: Window
    text_kept: KeepText | None
    input: str | None
    output: str | None
    reference: str | None
    documents: tuple[RetrievedDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTrace:
    """One score with enough of its trace to judge it by; excerpts are at most 500 characters.

    The trace's own columns are None where it was never listed. `segments` has every field that
    results can be cut by.
    """

    trace_id: str
    value: float
    label: str | None
    explanation: str | None
    start_time: datetime | None
    url: str | None
    segments: Mapping[str, str | None]
    input_excerpt: str | None
    output_excerpt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message for one destination.

    `history` says that the change was found in a look back, long after it happened: then nobody is
    told if the alert is over too.
    """

    destination: str
    message: AlertMessage
    history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """A message for one destination, and what became of it so far.

    `attempts` counts the begun ones. `last_error` holds no secret.
    """

    notice: Notice
    state: NoticeState
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord:
    """What a series is compared with, from when and by whose decision.

    It is learned from `start` to `end`; while it is "learning", `end` and `document` are None.
    """

    baseline_id: str
    series: Series
    status: BaselineStatus
    start: datetime
    end: datetime | None
    decided_at: datetime
    who: str
    why: str
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TailCount:
    """How many outputs of a cell were beyond each of its lines (`bad`), and of how many (`n`)."""

    segment: Segment
    bad: list[float]
    n: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailHour:
    """The counts of one hour under one baseline, and the statement they were counted from.

    `newcomers` are the segments in it that the baseline does not have.
    """

    baseline_id: str
    stamp: str
    counts: Sequence[TailCount]
    newcomers: Sequence[Segment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TailState:
    """The evidence of all monitors after an hour; `key` says of which monitors."""

    hour: datetime
    key: str
    state: Mapping[str, Any]

"""Batch backfills as values: a job, its batches, and the questions in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tailwatch.evaluation import Series
from tailwatch.outcome import NO_USAGE, Failed, Usage
from tailwatch.window import Window

JobState = Literal["waiting", "cancelling", "done", "cancelled"]
BatchState = Literal["open", "submitted", "settled", "abandoned"]
LineState = Literal["asked", "answered", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A backfill whose questions go to the provider in batches, over several runs.

    `series` are those it evaluates, and `only` says which of their evaluations it makes. It is
    "waiting" until all of them are recorded. `holder` works on it now, until `held_until`.
    """

    job_id: str
    source: str
    window: Window
    series: tuple[Series, ...]
    partial: bool
    only: str
    started_at: datetime
    state: JobState = "waiting"
    ended_at: datetime | None = None
    note: str | None = None
    holder: str | None = None
    held_until: datetime | None = None

    @property
    def over(self) -> bool:
        return self.state in ("done", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch of a job.

    "open" from its first question until the provider is known to have it, then "submitted", and
    "settled" when its results are booked; "abandoned" if it never got there. `price_share` is what
    its calls cost of the list price; `completed` and `failed` are the provider's counts.
    """

    batch_key: str
    job_id: str
    number: int
    endpoint: str
    created_at: datetime
    price_share: float
    state: BatchState = "open"
    lines: int = 0
    worst_case_usd: float = 0.0
    file_id: str | None = None
    provider_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    provider_status: str | None = None
    completed: int | None = None
    failed: int | None = None
    submitted_at: datetime | None = None
    expires_at: datetime | None = None
    looked_at: datetime | None = None
    settled_at: datetime | None = None
    cost_usd: float | None = None
    files_deleted: bool = False
    note: str | None = None

    @property
    def unsettled(self) -> bool:
        return self.state in ("open", "submitted")

    @property
    def saved_usd(self) -> float:
        """How much less it cost than the same calls outside a batch."""
        return (self.cost_usd or 0.0) * (1 / self.price_share - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One question of a batch, under the id of its call in the judge's books.

    `form` is what of the question is needed to read its answer, never its texts. Once it is
    "answered", its verdict is in those books; `failure` says why it "failed".
    """

    call_id: str
    question_key: str
    form: Mapping[str, Any]
    worst_case_usd: float
    state: LineState = "asked"
    usage: Usage = NO_USAGE
    failure: Failed | None = None


Lines = Sequence[BatchLine]

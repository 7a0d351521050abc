"""Backfills that many workers share, as values: jobs, claims on their hours, their progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tailwatch.window import Window

BackfillState = Literal["running", "stopped", "done", "failed"]
UnitState = Literal["open", "claimed", "done", "failed"]

UNIT_COUNTS = ("listed", "scored", "skipped", "failed", "unreadable", "late", "in_batch")
"""What is counted of an hour, in the order of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """What somebody wants: hours of a source, and what is to be evaluated of them.

    The same order given again goes on with the job that is under way; `budget_usd`, which is not
    part of what is to be done, is then that of the newer order. With `days_in_order` no hour of a
    day is begun before those of the days before are over, where sampling learns from them.
    """

    source: str
    window: Window
    what: Mapping[str, Any]
    days_in_order: bool = False
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillJob:
    """A backfill under way, or over."""

    job_id: str
    order: BackfillOrder
    state: BackfillState
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on one hour of a job, until a lease that is renewed ends.

    `fence` tells it from every earlier and later claim on the same hour; `attempt` counts from 1.
    """

    job_id: str
    window: Window
    holder: str
    fence: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCounts:
    """What came of one hour, or of several."""

    changed: int = 0
    """How many of the hours had something new."""
    listed: int = 0
    scored: int = 0
    skipped: int = 0
    failed: int = 0
    unreadable: int = 0
    late: int = 0
    in_batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubledUnit:
    """An hour that failed, or that somebody failed at and another tries again."""

    window: Window
    state: UnitState
    attempts: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is: its hours by state, and what came of those that are done."""

    hours: Mapping[UnitState, int]
    counts: UnitCounts
    cost_usd: float = 0.0
    """What its judge calls took, and may yet take where they are under way: its id is their run."""
    holders: Sequence[str] = ()
    """Who works on it now."""
    troubles: Sequence[TroubledUnit] = field(default=())

    @property
    def total(self) -> int:
        return sum(self.hours.values())

    @property
    def left(self) -> int:
        """Hours that are neither done nor given up."""
        return self.hours.get("open", 0) + self.hours.get("claimed", 0)

    @property
    def done(self) -> int:
        return self.hours.get("done", 0)

    @property
    def failed(self) -> int:
        return self.hours.get("failed", 0)

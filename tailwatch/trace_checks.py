"""The values a trace cannot have, each refused with one sentence."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from tailwatch.errors import InvalidTraceError

MAX_TEXT_CHARS = 1_000_000
"""The longest text one field may hold; longer ones are refused, not cut."""

MAX_AMOUNT = 2**53
"""The largest measure of a trace: the database can hold it, and a float without rounding."""


def utc(name: str, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise InvalidTraceError(
            f"{name} is {value.isoformat()}, without a time zone; add Z or +hh:mm"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTraceError(f"{name} is {value.isoformat()}, outside the calendar") from error


def refuse_empty(name: str, value: str) -> None:
    if not value.strip():
        raise InvalidTraceError(f"{name} is empty; it must name the record")


def refuse_end_before_start(start: datetime, end: datetime) -> None:
    if end < start:
        raise InvalidTraceError(
            f"end_time {end.isoformat()} is before start_time {start.isoformat()}"
        )


def refuse_negative(name: str, value: float | None) -> None:
    if value is not None and value < 0:
        raise InvalidTraceError(f"{name} is {value}; it must be 0 or more, or left out")


def refuse_huge(name: str, value: float | None) -> None:
    if value is not None and value > MAX_AMOUNT:
        raise InvalidTraceError(f"{name} is over {MAX_AMOUNT:,}; it must be less, or left out")


def refuse_not_finite(name: str, value: float | None) -> None:
    if value is not None and not math.isfinite(value):
        raise InvalidTraceError(f"{name} is {value}; it must be a finite number, or left out")


def refuse_long(name: str, value: str | None) -> None:
    if value is not None and len(value) > MAX_TEXT_CHARS:
        raise InvalidTraceError(
            f"{name} has {len(value):,} characters; at most {MAX_TEXT_CHARS:,} are accepted"
        )


def refuse_broken_tree(parents: Mapping[str, str | None], spans: int) -> None:
    """Parents by span id must form a forest: ids unique, parents present, no cycle."""
    if len(parents) != spans:
        raise InvalidTraceError("two spans have the same span_id; each must be unique in its trace")
    for span_id, parent in parents.items():
        if parent is not None and parent not in parents:
            raise InvalidTraceError(
                f"span {span_id!r} names the parent {parent!r}, which is not in the trace"
            )
    rooted: set[str] = set()
    for span_id in parents:
        path: set[str] = set()
        current: str | None = span_id
        while current is not None and current not in rooted:
            if current in path:
                raise InvalidTraceError(
                    f"span {current!r} is its own ancestor; parents must form a tree"
                )
            path.add(current)
            current = parents[current]
        rooted |= path

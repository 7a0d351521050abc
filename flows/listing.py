"""What a source lists for an hour, and which of it is ready to be evaluated."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tailwatch.protocols import TraceSource
from tailwatch.trace import FetchError, TraceRef
from tailwatch.window import Window


async def list_hour(source: TraceSource, window: Window) -> tuple[list[TraceRef], list[FetchError]]:
    """Every trace of the window once, by trace id, and what of the listing could not be read."""
    refs: dict[str, TraceRef] = {}
    errors: list[FetchError] = []
    cursor: str | None = None
    while True:
        page = await source.list_traces(window, cursor)
        refs.update((ref.trace_id, ref) for ref in page.items)
        errors += page.errors
        cursor = page.next_cursor
        if cursor is None:
            return list(refs.values()), errors


def split_waiting(
    refs: Sequence[TraceRef], window: Window, max_wait: timedelta, now: datetime
) -> tuple[list[TraceRef], list[TraceRef]]:
    """The traces to evaluate and those to wait for.

    A trace without an ended root waits until `max_wait` after the window's end; then it goes in as
    it is, marked incomplete.
    """
    given_up = now >= window.end + max_wait
    ready = [ref for ref in refs if ref.complete or given_up]
    waiting = [ref for ref in refs if not (ref.complete or given_up)]
    return ready, waiting

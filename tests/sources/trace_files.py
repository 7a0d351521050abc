"""Files of traces and log records for the tests, and a source read to its end."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sources.trace_lines import TRACE
from tailwatch.protocols import TraceSource
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window
from tests.builders import START

ALL_DAY = Window(START - timedelta(hours=10), START + timedelta(hours=14))


def trace_line(trace: Trace, **fields: Any) -> str:
    """The trace in tailwatch's own format, with fields added or replaced."""
    written: dict[str, Any] = TRACE.dump_python(trace, mode="json", exclude_defaults=True)
    del written["source"]
    return json.dumps(written | fields)


def record_line(**fields: Any) -> str:
    """A log record with the columns that every record has."""
    columns = {
        "trace_id": "r1",
        "span_id": "s1",
        "timestamp": START.isoformat(),
        "model": "model-a",
        "prompt_version": "3",
        "input_tokens": 100,
        "output_tokens": 20,
        "latency_ms": 1500.0,
        "ttft_ms": 400.0,
        "cost_usd": 0.001,
        "quality_score": 0.8,
        "semantic_hash": "abc",
    }
    return json.dumps(columns | fields)


def write(path: Path, lines: Sequence[str | bytes], *, packed: bool = False) -> Path:
    """The file of those lines, each with its newline."""
    text = b"".join((one if isinstance(one, bytes) else one.encode()) + b"\n" for one in lines)
    path.write_bytes(gzip.compress(text) if packed else text)
    return path


Listing = tuple[list[TraceRef], list[FetchError]]


async def list_all(source: TraceSource, window: Window = ALL_DAY, limit: int = 1000) -> Listing:
    """Every trace of the window, and every error told on the way, in the order of the pages."""
    refs: list[TraceRef] = []
    errors: list[FetchError] = []
    cursor = None
    while True:
        page = await source.list_traces(window, cursor, limit)
        assert len(page.items) <= limit
        refs += page.items
        errors += page.errors
        cursor = page.next_cursor
        if cursor is None:
            return refs, errors


def listed(source: TraceSource, window: Window = ALL_DAY, limit: int = 1000) -> Listing:
    return asyncio.run(list_all(source, window, limit))


def fetched(source: TraceSource, refs: Sequence[TraceRef]) -> list[Trace | FetchError]:
    async def collect() -> list[Trace | FetchError]:
        return [item async for item in source.fetch(refs)]

    return asyncio.run(collect())


def everything(source: TraceSource) -> dict[str, Trace | FetchError]:
    """What fetching all that is listed gives, by trace id."""
    refs, _ = listed(source)
    return {item.trace_id or "": item for item in fetched(source, refs)}

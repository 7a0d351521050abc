"""Fakes for the seams: a source, an evaluator and a clock whose behaviour a test writes down."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tailwatch.alert import Direction
from tailwatch.errors import SourceUnavailableError
from tailwatch.outcome import Outcome, Score
from tailwatch.protocols import UNIT_SCALE, Health, Page, Scale
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window


@dataclass
class MemorySource:
    """A source over traces in memory; `unreadable` ones are listed and cannot be fetched."""

    traces: list[Trace]
    name: str = "memory"
    page_size: int = 3
    unreadable: set[str] = field(default_factory=set)
    down: bool = False
    fetched: list[str] = field(default_factory=list)

    async def check(self) -> Health:
        return Health(ok=not self.down, sentence=f"{len(self.traces)} traces in memory")

    async def list_traces(
        self, window: Window, cursor: str | None = None, limit: int = 1000
    ) -> Page[TraceRef]:
        if self.down:
            raise SourceUnavailableError("the source is down")
        inside = sorted(
            (t.ref for t in self.traces if t.start_time in window),
            key=lambda ref: (ref.start_time, ref.trace_id),
        )
        start, size = int(cursor or 0), min(limit, self.page_size)
        following = str(start + size) if start + size < len(inside) else None
        return Page(items=inside[start : start + size], next_cursor=following)

    async def fetch(self, refs: Sequence[TraceRef]) -> AsyncIterator[Trace | FetchError]:
        by_id = {trace.trace_id: trace for trace in self.traces}
        for ref in refs:
            self.fetched.append(ref.trace_id)
            if ref.trace_id in self.unreadable:
                yield FetchError(
                    source=self.name,
                    location=ref.trace_id,
                    message="torn page",
                    trace_id=ref.trace_id,
                )
            else:
                yield by_id[ref.trace_id]


@dataclass
class ScriptedEvaluator:
    """An evaluator whose verdict on each trace a test writes down; it remembers what it saw."""

    verdict: Callable[[Trace], Outcome] = lambda _: Score(value=1.0)
    name: str = "scripted"
    version: str = "1"
    judge: str = ""
    direction: Direction = Direction.HIGHER_IS_BETTER
    scale: Scale = UNIT_SCALE
    batch_size: int = 10
    seen: list[str] = field(default_factory=list)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        self.seen += [trace.trace_id for trace in traces]
        return [self.verdict(trace) for trace in traces]


@dataclass
class SteppingClock:
    """A clock that a test sets; each look moves it on by a millisecond."""

    now: datetime

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

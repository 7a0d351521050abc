"""One run over some hours: the record of it, the hours one after another, and its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from flows.chunks import Clock, RunChunk, evaluate_chunk
from flows.evaluate_window import Redo, WindowReport, evaluate_window, redo_retryable
from flows.failover import with_judge_that_answers
from flows.parts import Parts
from storage.records import RunKind, RunRecord
from storage.store import Store
from tailwatch.plan import TimingPlan
from tailwatch.window import HOUR, Window

OnProgress = Callable[[Window, int, int], None]
"""Hears that a window has done so many of its chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did, hour by hour in the order it took them."""

    run_id: str
    windows: Sequence[WindowReport]
    cost_usd: float
    """What the judge was paid, also for calls whose outcome was never recorded."""
    note: str | None = None
    """What was out of the ordinary: that a judge was down, and which one stood in."""

    @property
    def in_batch(self) -> int:
        """How many evaluations wait for the answer of a batch; they are not among the counts."""
        return sum(sum(w.chunks.in_batch.values()) for w in self.windows)

    @property
    def counts(self) -> dict[str, int]:
        """Totals over the run: windows, listed, scored, skipped, failed, unreadable, late."""
        chunks = [w.chunks for w in self.windows]
        return {
            "windows": sum(w.changed for w in self.windows),
            "listed": sum(w.listed for w in self.windows if w.changed),
            "scored": sum(c.scored for c in chunks),
            "skipped": sum(c.skipped for c in chunks),
            "failed": sum(c.failed for c in chunks),
            "unreadable": sum(c.unreadable for c in chunks),
            "late": sum(w.late for w in self.windows),
        }


def due_windows(store: Store, source: str, timing: TimingPlan, scheduled: datetime) -> list[Window]:
    """The hours an hourly run takes, newest first.

    First those of the last `catch_up` hours that no run has finished, whatever the scheduler did
    meanwhile; then those of the look-back that are finished, to find what came late.
    """
    end = Window.last_settled(scheduled, timing.settle).end
    owed = store.owed_windows(source, Window(end - timing.catch_up * HOUR, end))
    seen = set(owed)
    hours = max(1, -(-timing.look_back // HOUR)) if timing.look_back else 0
    again = [Window(end - (i + 1) * HOUR, end - i * HOUR) for i in range(hours)]
    return owed + [window for window in again if window not in seen]


async def run_windows(
    parts: Parts,
    windows: Sequence[Window],
    *,
    kind: RunKind,
    run_id: str,
    clock: Clock,
    detail: str | None = None,
    redo: Redo = redo_retryable,
    ask_again: bool = False,
    run_chunk: RunChunk = evaluate_chunk,
    on_window: Callable[[WindowReport], None] | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Evaluates the windows in order and records the run.

    With `ask_again` no verdict of an earlier run is used again: judges are asked, and paid, anew.

    An hourly run in which the judge is down asks the second one, where the plan has one; whoever
    runs a backfill can wait, and finds the failures in it.

    An error of the source or the store ends the run: it is recorded as failed, the finished hours
    stay finished, the others stay owed, and the error is raised.
    """
    store = parts.store
    record = RunRecord(run_id=run_id, kind=kind, started_at=clock(), detail=detail)
    store.start_run(record)
    store.mark_lost_calls(clock())
    if parts.judge is not None:
        parts.judge.begin(run_id, ask_again)
    spent_before = parts.judge.spent_usd() if parts.judge else 0.0
    reports: list[WindowReport] = []
    failure: str | None = None
    note: str | None = None
    try:
        if kind == "hourly" and windows:
            parts, note = await with_judge_that_answers(parts)
        if note is not None:
            store.start_run(replace(record, detail="; ".join(filter(None, (detail, note)))))
        for window in windows:
            done = await evaluate_window(
                parts,
                window,
                run_id=run_id,
                clock=clock,
                redo=redo,
                run_chunk=run_chunk,
                on_chunk=partial(on_progress, window) if on_progress else None,
            )
            reports.append(done)
            if on_window is not None:
                on_window(done)
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"[:500]
        raise
    finally:
        spent = parts.judge.spent_usd() - spent_before if parts.judge else _cost_of(reports)
        report = RunReport(run_id=run_id, windows=reports, cost_usd=spent, note=note)
        store.finish_run(
            run_id,
            ended_at=clock(),
            status="done" if failure is None else "failed",
            error=failure,
            counts=report.counts,
            cost_usd=report.cost_usd,
        )
    return report


def _cost_of(reports: Sequence[WindowReport]) -> float:
    """What the outcomes say they took, where no judge of ours keeps the accounts."""
    return sum(report.chunks.cost_usd for report in reports)

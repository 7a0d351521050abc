"""Runs evaluators over traces: whatever one of them does, each trace ends in one outcome."""

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from evaluators.recorder import Recorder
from tailwatch.errors import RetryableError
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, FailureKind, Outcome, Score, Skipped
from tailwatch.protocols import Evaluator
from tailwatch.trace import Trace
from tailwatch.window import Window

_START_TOGETHER: Final = 32
"""How many traces are prepared before the first of them may go on its way."""

MAX_MESSAGE_CHARS: Final = 200
"""How much of an exception's message is kept: it may quote the trace's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The traces one evaluator was given, each with the chance that the sample took it; None where
    it does not count as the hour's sample.
    """

    evaluator: Evaluator
    traces: Sequence[Trace]
    probabilities: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the evaluations of one run share. `timeout_s` is the time one batch may take."""

    window: Window
    run_id: str
    clock: Callable[[], datetime]
    timeout_s: float


async def run_evaluators(
    assignments: Sequence[Assignment],
    context: RunContext,
    on_batch: Callable[[Sequence[Evaluation]], None] | None = None,
) -> list[Evaluation]:
    """One evaluation for each trace of each assignment, in order.

    Evaluators run side by side, each a batch after the other; one that `ends_by_itself` flows: its
    traces go one by one, `batch_size` of them at a time, so that none waits for a slow neighbour.
    `on_batch` is called with what is finished, batches or groups of those that flow, for progress
    and early recording: in a thread, once at a time, so that a store that is slow holds up no
    judge. An evaluator's fault never raises: it becomes `Failed`. What `on_batch` raises, a
    cancellation and an interrupt pass through and end the run.
    """
    recorder = Recorder(on_batch)
    tasks = [asyncio.create_task(_assignment(each, context, recorder)) for each in assignments]

    async def all_of_them() -> list[list[Evaluation]]:
        try:
            return await asyncio.gather(*tasks)
        finally:
            recorder.finish()

    work, writing = asyncio.create_task(all_of_them()), asyncio.create_task(recorder.run())
    try:
        finished, _ = await asyncio.gather(work, writing)
        return [evaluation for each in finished for evaluation in each]
    finally:
        for task in (*tasks, work, writing):
            task.cancel()
        await asyncio.gather(*tasks, work, writing, return_exceptions=True)


async def _assignment(
    assignment: Assignment, context: RunContext, recorder: Recorder
) -> list[Evaluation]:
    evaluator = assignment.evaluator
    size, traces = max(1, evaluator.batch_size), assignment.traces
    if _flows(evaluator):
        return await _flow(assignment, context, recorder, lanes=min(size, len(traces)))
    finished: list[Evaluation] = []
    for start in range(0, len(traces), size):
        part = traces[start : start + size]
        outcomes = await _outcomes(evaluator, part, context.timeout_s)
        batch = _evaluations(assignment, part, outcomes, context)
        finished += batch
        await recorder.record(batch)
    return finished


async def _flow(
    assignment: Assignment, context: RunContext, recorder: Recorder, *, lanes: int
) -> list[Evaluation]:
    """Each trace on its own, the next one as soon as any of them is finished."""
    places = iter(range(len(assignment.traces)))
    tasks: list[asyncio.Task[None]] = []
    finished: dict[int, Evaluation] = {}

    async def lane() -> None:
        for place in places:
            alone = [assignment.traces[place]]
            outcomes = await _outcomes(assignment.evaluator, alone, context.timeout_s)
            done = _evaluations(assignment, alone, outcomes, context)
            finished[place] = done[0]
            recorder.add(done)

    try:
        for _ in range(lanes):
            tasks.append(asyncio.create_task(lane()))
            if len(tasks) % _START_TOGETHER == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [finished[place] for place in range(len(assignment.traces))]


def _evaluations(
    assignment: Assignment,
    traces: Sequence[Trace],
    outcomes: Sequence[Outcome],
    context: RunContext,
) -> list[Evaluation]:
    evaluator, now = assignment.evaluator, context.clock()
    series = Series(evaluator=evaluator.name, version=evaluator.version, judge=evaluator.judge)
    return [
        Evaluation(
            source=trace.source,
            trace_id=trace.trace_id,
            series=series,
            outcome=outcome,
            window=context.window,
            inclusion_probability=assignment.probabilities[trace.trace_id],
            run_id=context.run_id,
            evaluated_at=now,
        )
        for trace, outcome in zip(traces, outcomes, strict=True)
    ]


async def _outcomes(
    evaluator: Evaluator, traces: Sequence[Trace], timeout_s: float
) -> Sequence[Outcome]:
    """One outcome for each trace. After a fault each trace runs alone, so that one culprit does
    not take its neighbours along; all of them together get `timeout_s` once more.

    An evaluator that `ends_by_itself` has no limit: how long it waits for a judge that others ask
    too says nothing about it, and to cut it off would throw away verdicts that are paid for.
    """
    deadline = _deadline(evaluator, timeout_s)
    outcomes = await _attempt(evaluator, traces, deadline)
    if not isinstance(outcomes, Failed):
        return outcomes
    if len(traces) == 1 or outcomes.error_type == FailureKind.TIMEOUT:
        return [outcomes] * len(traces)
    deadline = _deadline(evaluator, timeout_s)
    alone: list[Outcome] = []
    for trace in traces:
        outcome = await _attempt(evaluator, [trace], deadline)
        alone += [outcome] if isinstance(outcome, Failed) else outcome
    return alone


def _flows(evaluator: Evaluator) -> bool:
    return bool(getattr(evaluator, "ends_by_itself", False))


def _deadline(evaluator: Evaluator, timeout_s: float) -> float | None:
    if _flows(evaluator):
        return None
    return asyncio.get_running_loop().time() + timeout_s


async def _attempt(
    evaluator: Evaluator, traces: Sequence[Trace], deadline: float | None
) -> Sequence[Outcome] | Failed:
    """The evaluator's outcomes, checked; or one failure in place of all of them."""
    timer = asyncio.timeout_at(deadline)
    try:
        if deadline is None:
            outcomes = list(await evaluator.evaluate(traces))
        else:
            async with timer:
                outcomes = list(await evaluator.evaluate(traces))
        if len(outcomes) != len(traces):
            return _bad(f"returned {len(outcomes)} outcomes for {len(traces)} traces")
        return [_checked(evaluator, outcome) for outcome in outcomes]
    except Exception as error:  # noqa: BLE001 - the one place where a plug-in's fault is contained
        if timer.expired() and isinstance(error, TimeoutError):
            return Failed(
                error_type=FailureKind.TIMEOUT,
                message="the batch did not finish in time",
                retryable=True,
            )
        return Failed(
            error_type=type(error).__name__,
            message=_message(error),
            retryable=isinstance(error, RetryableError | TimeoutError),
        )


def _checked(evaluator: Evaluator, outcome: object) -> Outcome:
    if isinstance(outcome, Skipped | Failed):
        return outcome
    if not isinstance(outcome, Score):
        return _bad(f"returned a {type(outcome).__name__}, which is no Score, Skipped or Failed")
    if outcome.value not in evaluator.scale:
        scale = evaluator.scale
        return Failed(
            error_type=FailureKind.OUT_OF_SCALE,
            message=f"scored {outcome.value:g}; its scale is {scale.low:g} to {scale.high:g}",
            usage=outcome.usage,
        )
    # numpy's numbers would reach the store, where some drivers write them as raw bytes
    return outcome if type(outcome.value) is float else replace(outcome, value=float(outcome.value))


def _bad(what: str) -> Failed:
    return Failed(error_type=FailureKind.BAD_OUTPUT, message=f"the evaluator {what}")


def _message(error: Exception) -> str:
    """The start of the exception's message on one line, without control characters."""
    # format_exception_only survives an exception whose own __str__ raises
    line = "".join(traceback.format_exception_only(error))
    text = line.partition(": ")[2] or line
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_MESSAGE_CHARS])
    return " ".join(printable.split())[:MAX_MESSAGE_CHARS]

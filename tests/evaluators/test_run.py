"""Whatever an evaluator does, each of its traces ends in exactly one outcome."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from evaluators.recorder import GROUP
from evaluators.run import Assignment, RunContext, run_evaluators
from tailwatch.alert import Direction
from tailwatch.errors import RetryableError
from tailwatch.evaluation import Evaluation
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason, Usage
from tailwatch.protocols import UNIT_SCALE, Scale
from tailwatch.trace import Trace
from tailwatch.window import Window
from tests.builders import START, make_trace

Behaviour = Callable[[Sequence[Trace]], Awaitable[Sequence[Outcome]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """An evaluator that does what the test says."""

    behaviour: Behaviour
    name: str = "scripted"
    version: str = "3"
    judge: str = "model-j"
    direction: Direction = Direction.HIGHER_IS_BETTER
    scale: Scale = UNIT_SCALE
    batch_size: int = 4
    seen: list[int] = field(default_factory=list)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        self.seen.append(len(traces))
        return await self.behaviour(traces)


def traces(n: int) -> list[Trace]:
    return [make_trace(trace_id=f"t{i}") for i in range(n)]


def run(
    evaluator: Scripted,
    n: int = 3,
    timeout_s: float = 60,
    on_batch: Callable[[Sequence[Evaluation]], None] | None = None,
) -> list[Evaluation]:
    context = RunContext(
        window=Window.hour_of(START), run_id="r1", clock=lambda: START, timeout_s=timeout_s
    )
    given = traces(n)
    assignment = Assignment(
        evaluator=evaluator,
        traces=given,
        probabilities={trace.trace_id: 0.25 for trace in given},
    )
    evaluations = asyncio.run(run_evaluators([assignment], context, on_batch))
    assert [e.trace_id for e in evaluations] == [trace.trace_id for trace in given]
    return evaluations


def outcomes(evaluator: Scripted, n: int = 3, timeout_s: float = 60) -> list[Outcome]:
    return [evaluation.outcome for evaluation in run(evaluator, n, timeout_s)]


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


async def half(traces: Sequence[Trace]) -> Sequence[Outcome]:
    return [Score(value=0.5) for _ in traces]


def returning(value: Any) -> Behaviour:
    async def behaviour(_: Sequence[Trace]) -> Sequence[Outcome]:
        return cast("Sequence[Outcome]", value)

    return behaviour


def raising(error: BaseException) -> Behaviour:
    async def behaviour(_: Sequence[Trace]) -> Sequence[Outcome]:
        raise error

    return behaviour


def test_an_evaluation_carries_its_provenance() -> None:
    (evaluation,) = run(Scripted(behaviour=half), n=1)
    assert evaluation.source == "test"
    assert str(evaluation.series) == "scripted v3 model-j"
    assert evaluation.outcome == Score(value=0.5)
    assert evaluation.window == Window.hour_of(START)
    assert evaluation.inclusion_probability == 0.25
    assert (evaluation.run_id, evaluation.evaluated_at) == ("r1", START)


def test_batches_have_the_size_the_evaluator_wants() -> None:
    evaluator, batches = Scripted(behaviour=half), list[int]()
    run(evaluator, n=10, on_batch=lambda batch: batches.append(len(batch)))
    assert evaluator.seen == batches == [4, 4, 2]


def test_nothing_to_do_is_done() -> None:
    evaluator = Scripted(behaviour=half)
    assert run(evaluator, n=0) == []
    assert evaluator.seen == []


def test_only_the_culprit_of_a_batch_fails() -> None:
    async def behaviour(batch: Sequence[Trace]) -> Sequence[Outcome]:
        if any(trace.trace_id == "t1" for trace in batch):
            raise ValueError("t1 cannot be read")
        return await half(batch)

    first, second, third = outcomes(Scripted(behaviour=behaviour))
    assert first == third == Score(value=0.5)
    assert second == Failed(error_type="ValueError", message="t1 cannot be read")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(RetryableError("later"), True), (TimeoutError("later"), True), (KeyError("x"), False)],
)
def test_an_exception_becomes_a_failure(error: Exception, retryable: bool) -> None:
    failed = failure(outcomes(Scripted(behaviour=raising(error)), n=1)[0])
    assert (failed.error_type, failed.retryable) == (type(error).__name__, retryable)


def test_a_batch_that_takes_too_long_fails_as_a_whole_and_is_not_run_again() -> None:
    async def never(_: Sequence[Trace]) -> Sequence[Outcome]:
        await asyncio.Event().wait()
        return []

    evaluator = Scripted(behaviour=never)
    failed = {failure(outcome) for outcome in outcomes(evaluator, timeout_s=0.02)}
    assert {(each.error_type, each.retryable) for each in failed} == {("timeout", True)}
    assert evaluator.seen == [3]


@pytest.mark.parametrize("returned", [[], [Score(value=1.0)] * 7, None, 0.5])
def test_the_wrong_number_of_outcomes_fails(returned: object) -> None:
    assert all(isinstance(o, Failed) for o in outcomes(Scripted(behaviour=returning(returned))))


@pytest.mark.parametrize("returned", [0.5, None, "good", Score])
def test_a_thing_that_is_no_outcome_fails_alone(returned: object) -> None:
    first, second = outcomes(Scripted(behaviour=returning([returned, Score(value=1.0)])), n=2)
    assert "which is no Score, Skipped or Failed" in failure(first).message
    assert second == Score(value=1.0)


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_a_score_outside_the_scale_fails_and_keeps_its_cost(value: float) -> None:
    usage = Usage(cost_usd=0.01)
    returned = [Score(value=value, usage=usage)]
    failed = failure(outcomes(Scripted(behaviour=returning(returned)), n=1)[0])
    assert (failed.error_type, failed.usage) == ("out_of_scale", usage)


def test_a_number_of_numpy_becomes_a_plain_one() -> None:
    value: Any = np.float32(0.5)
    (outcome,) = outcomes(Scripted(behaviour=returning([Score(value=value)])), n=1)
    assert isinstance(outcome, Score)
    assert type(outcome.value) is float


def test_skips_and_failures_pass_as_they_are() -> None:
    said = [Skipped(reason=SkipReason.MISSING_OUTPUT), Failed(error_type="auth", message="no")]
    assert outcomes(Scripted(behaviour=returning(said)), n=2) == said


def test_a_message_is_short_and_harmless() -> None:
    error = ValueError("\x1b[31mred\u202e\n\ud800" + "secret " * 100)
    message = failure(outcomes(Scripted(behaviour=raising(error)), n=1)[0]).message
    assert message.startswith("[31mred secret")
    assert len(message) <= 200
    assert message.isprintable()


def test_an_exception_that_cannot_be_printed_is_still_a_failure() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert (
        failure(outcomes(Scripted(behaviour=raising(BrokenError())), n=1)[0]).error_type
        == "BrokenError"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupt_ends_the_run(error: type[BaseException]) -> None:
    with pytest.raises(error):
        run(Scripted(behaviour=raising(error())))


def test_what_the_recorder_raises_ends_the_run_and_stops_the_others() -> None:
    stopped: list[bool] = []

    async def waits(_: Sequence[Trace]) -> Sequence[Outcome]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)
        return []

    def record(_: Sequence[Evaluation]) -> None:
        raise RetryableError("the store is away")

    given = traces(1)
    assignments = [
        Assignment(evaluator=Scripted(behaviour=b), traces=given, probabilities={"t0": 1.0})
        for b in (half, waits)
    ]
    context = RunContext(
        window=Window.hour_of(START), run_id="r1", clock=lambda: START, timeout_s=60
    )

    async def both() -> None:
        with pytest.raises(RetryableError):
            await run_evaluators(assignments, context, record)
        assert stopped == [True]

    asyncio.run(both())


def test_evaluators_run_side_by_side() -> None:
    async def both() -> list[Evaluation]:
        here, there = asyncio.Event(), asyncio.Event()

        def meets(mine: asyncio.Event, other: asyncio.Event) -> Behaviour:
            async def behaviour(batch: Sequence[Trace]) -> Sequence[Outcome]:
                mine.set()
                await other.wait()
                return await half(batch)

            return behaviour

        given = traces(1)
        pair = [Scripted(behaviour=meets(here, there)), Scripted(behaviour=meets(there, here))]
        return await run_evaluators(
            [Assignment(evaluator=e, traces=given, probabilities={"t0": 1.0}) for e in pair],
            RunContext(window=Window.hour_of(START), run_id="r1", clock=lambda: START, timeout_s=5),
        )

    assert [evaluation.outcome for evaluation in asyncio.run(both())] == [Score(value=0.5)] * 2


def test_an_evaluator_that_ends_by_itself_loses_no_verdict_to_the_time_out() -> None:
    async def slow(traces: Sequence[Trace]) -> Sequence[Outcome]:
        await asyncio.sleep(0.1)
        return await half(traces)

    assert outcomes(Flowing(behaviour=slow), timeout_s=0.01) == [Score(value=0.5)] * 3


def test_recording_does_not_hold_up_those_who_wait_for_a_judge() -> None:
    recording, answered = threading.Event(), threading.Event()

    async def judge(traces: Sequence[Trace]) -> Sequence[Outcome]:
        while not recording.is_set():
            await asyncio.sleep(0)
        answered.set()
        return await half(traces)

    def record(_: Sequence[Evaluation]) -> None:
        recording.set()
        assert answered.wait(10), "the event loop stood still while a batch was recorded"

    context = RunContext(
        window=Window.hour_of(START), run_id="r1", clock=lambda: START, timeout_s=60
    )
    assignments = [
        Assignment(evaluator=each, traces=traces(1), probabilities={"t0": 1.0})
        for each in (Scripted(behaviour=half), Scripted(behaviour=judge, name="judge"))
    ]
    assert len(asyncio.run(run_evaluators(assignments, context, record))) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Flowing(Scripted):
    """One that ends by itself: each of its traces goes alone."""

    ends_by_itself: bool = True


def test_no_trace_waits_for_a_slow_neighbour() -> None:
    others = asyncio.Event()
    done: list[str] = []

    async def behaviour(alone: Sequence[Trace]) -> Sequence[Outcome]:
        if alone[0].trace_id == "t0":
            await others.wait()
        done.append(alone[0].trace_id)
        if len(done) == 9:
            others.set()
        return await half(alone)

    evaluator = Flowing(behaviour=behaviour, batch_size=2)
    assert len(run(evaluator, n=10)) == 10  # `run` checks that they are in order
    assert done[-1] == "t0"
    assert evaluator.seen == [1] * 10


@pytest.mark.parametrize("width", [1, 3])
def test_no_more_traces_flow_at_a_time_than_the_evaluator_wants(width: int) -> None:
    under_way, most = 0, 0

    async def behaviour(alone: Sequence[Trace]) -> Sequence[Outcome]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await half(alone)

    run(Flowing(behaviour=behaviour, batch_size=width), n=12)
    assert most == width


def test_what_flows_is_recorded_in_groups_all_of_it_once() -> None:
    groups: list[list[str]] = []
    given = run(
        Flowing(behaviour=half),
        n=3 * GROUP,
        on_batch=lambda group: groups.append([e.trace_id for e in group]),
    )
    assert sorted(i for group in groups for i in group) == sorted(e.trace_id for e in given)
    assert len(groups) <= 4


def test_what_is_finished_is_recorded_before_the_last_one_is() -> None:
    recorded = threading.Event()

    async def behaviour(alone: Sequence[Trace]) -> Sequence[Outcome]:
        while alone[0].trace_id == "t0" and not recorded.is_set():
            await asyncio.sleep(0.01)
        return await half(alone)

    assert len(run(Flowing(behaviour=behaviour), n=3, on_batch=lambda _: recorded.set())) == 3


def test_a_store_that_refuses_a_group_ends_the_run() -> None:
    async def slow(alone: Sequence[Trace]) -> Sequence[Outcome]:
        await asyncio.sleep(0 if alone[0].trace_id == "t0" else 60)
        return await half(alone)

    def refuse(_: Sequence[Evaluation]) -> None:
        raise RetryableError("the store is away")

    with pytest.raises(RetryableError):
        run(Flowing(behaviour=slow), on_batch=refuse)


def test_a_fault_in_one_that_flows_is_its_own() -> None:
    async def behaviour(alone: Sequence[Trace]) -> Sequence[Outcome]:
        if alone[0].trace_id == "t1":
            raise ValueError("t1 cannot be read")
        return await half(alone)

    first, second, third = outcomes(Flowing(behaviour=behaviour))
    assert first == third == Score(value=0.5)
    assert failure(second).error_type == "ValueError"

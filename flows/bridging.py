"""Bridges over a change of rubric or judge: one sample scored by the old and by the new."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.bridge import Bridge, bridge
from evaluators.index import build_evaluator
from evaluators.questions import ExpectedForm
from evaluators.rubric import RubricEvaluator
from evaluators.rubric_file import read_fields
from evaluators.run import Assignment, RunContext, run_evaluators
from flows.chunks import EVALUATOR_TIMEOUT_S
from flows.parts import Parts
from flows.questions import asks_of
from flows.stored_texts import trace_in_full
from flows.validating import Cost, judged_rubrics
from storage.records import RunRecord
from storage.review_records import BridgeRecord
from storage.rows import short_hash
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.outcome import Score
from tailwatch.plan import EvaluatorPlan
from tailwatch.sampling import position
from tailwatch.trace import Trace
from tailwatch.window import Window

COHORT = "tailwatch-bridge"

Opening = Callable[[str | None, float | None], AbstractAsyncContextManager[Parts]]
"""Opens the parts with a judge model (None: the plan's) and a cap in USD (None: the plan's)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a bridge: a version or a rubric file (None: as in the plan), and a judge model."""

    rubric: str | None = None
    judge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared: which rubric, from where to where, on how many traces."""

    rubric: str
    old: End
    new: End
    window: Window
    size: int
    line: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A series, with the evaluator that can be asked for scores that are not recorded, if any."""

    series: Series
    evaluator: RubricEvaluator | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged:
    """A recorded bridge. `known` scores were in the store, `asked` were paid for, `lost` traces
    have no score on one side.
    """

    record: BridgeRecord
    bridge: Bridge
    known: int
    asked: int
    lost: int
    cost_usd: float


def side_of(parts: Parts, rubric: str, end: End) -> Side:
    """The series at one end. Without the rubric's file only recorded scores of a version are known.

    A file is asked as the plan asks the rubric: with its `samples` and `scoring`, and about the
    same criterion where it is a sheet of several. Raises ConfigurationError for a rubric that the
    plan does not have, or a file of another one.
    """
    series, evaluator = next(iter(judged_rubrics(parts, [rubric]).items()))
    if end.rubric is None or end.rubric == series.version:
        return Side(series=series, evaluator=evaluator)
    path = Path(end.rubric)
    if not path.is_file():
        old = Series(evaluator=series.evaluator, version=end.rubric, judge=series.judge)
        return Side(series=old, evaluator=None)
    options = _options_of(evaluator, read_fields(path))
    built = build_evaluator(EvaluatorPlan(rubric=str(path), options=options), evaluator.tools)
    if not isinstance(built, RubricEvaluator) or built.name != rubric:
        raise ConfigurationError(f"{path} is not the rubric {rubric!r} but {built.name!r}")
    return Side(
        series=Series(evaluator=built.name, version=built.version, judge=built.judge),
        evaluator=built,
    )


def _options_of(evaluator: RubricEvaluator, content: Mapping[str, Any]) -> dict[str, Any]:
    """The options with which a rubric file of that content is asked as the evaluator is."""
    options: dict[str, Any] = {"samples": evaluator.samples}
    if "criteria" in content:
        return {**options, "criterion": evaluator.name.removeprefix(f"{content.get('name')}_")}
    if isinstance(evaluator.form, ExpectedForm):
        options["scoring"] = "expected"
    return options


def sample_of(parts: Parts, old: Series, window: Window, size: int) -> list[str]:
    """The traces that come first by hash: of those scored by the old series, else of all listed.

    Raises ConfigurationError where there are none.
    """
    source = parts.source.name
    ids = [output.trace_id for output in parts.store.judged(source, old, window)]
    ids = ids or list(parts.store.listed(source, window))
    if not ids:
        raise ConfigurationError(f"no trace of {window} is in the store")
    return sorted(ids, key=lambda trace_id: (position(trace_id, COHORT), trace_id))[:size]


async def cost_of_bridge(open_parts: Opening, asked: Asked) -> Cost:
    """What building the bridge can cost at the most, before the cap; it asks nothing.

    Raises ConfigurationError where both ends are one series, and as `side_of` and `sample_of` do.
    """
    async with open_parts(asked.old.judge, None) as parts:
        old = side_of(parts, asked.rubric, asked.old)
        sample = sample_of(parts, old.series, asked.window, asked.size)
        before = _cost(parts, old, sample, asked.window)
    async with open_parts(asked.new.judge, None) as parts:
        new = side_of(parts, asked.rubric, asked.new)
        after = _cost(parts, new, sample, asked.window)
    if new.series == old.series:
        raise ConfigurationError(
            f"both ends are {old.series}: name another version, file or judge with --from, --to, "
            "--judge-from or --judge-to"
        )
    return Cost(
        calls=before.calls + after.calls,
        worst_case_usd=before.worst_case_usd + after.worst_case_usd,
        cap_usd=before.cap_usd,
    )


def _cost(parts: Parts, side: Side, sample: Sequence[str], window: Window) -> Cost:
    if parts.judge is None:
        raise ConfigurationError("no judge is configured")
    known = _recorded(parts, side.series, window)
    asks = None if side.evaluator is None else asks_of(side.evaluator)
    calls = 0 if asks is None else asks.most * sum(i not in known for i in sample)
    worst = calls * parts.judge.worst_case_usd
    return Cost(calls=calls, worst_case_usd=worst, cap_usd=parts.judge.caps.run_usd)


async def build_bridge(
    open_parts: Opening,
    asked: Asked,
    *,
    run_id: str,
    who: str,
    clock: Callable[[], datetime],
    max_cost_usd: float | None,
) -> Bridged:
    """Scores one sample under both ends, within one cap, and records the comparison.

    Recorded scores are taken as they are; the rest is asked. Raises ConfigurationError as
    `cost_of_bridge` does, and where a version is known neither by its file nor by scores.
    """
    await cost_of_bridge(open_parts, asked)
    async with open_parts(asked.old.judge, max_cost_usd) as parts:
        old = side_of(parts, asked.rubric, asked.old)
        sample = sample_of(parts, old.series, asked.window, asked.size)
        before = await _scores(parts, old, sample, asked.window, run_id, clock)
        cap = parts.judge.caps.run_usd if parts.judge else 0.0
    rest = max(0.0, cap - before.cost_usd)
    async with open_parts(asked.new.judge, rest) as parts:
        new = side_of(parts, asked.rubric, asked.new)
        after = await _scores(parts, new, sample, asked.window, f"{run_id}-to", clock)
        both = [i for i in sample if i in before.scores and i in after.scores]
        found = bridge(
            [before.scores[i] for i in both],
            [after.scores[i] for i in both],
            _direction(parts, asked.rubric),
            asked.line,
        )
        record = BridgeRecord(
            bridge_id=short_hash(parts.source.name, str(old.series), str(new.series), run_id),
            old=old.series,
            new=new.series,
            window=asked.window,
            at=clock(),
            who=who,
            comparison=found.document(),
        )
        parts.store.record_bridge(parts.source.name, record)
    return Bridged(
        record=record,
        bridge=found,
        known=before.known + after.known,
        asked=before.asked + after.asked,
        lost=len(sample) - len(both),
        cost_usd=before.cost_usd + after.cost_usd,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scores:
    scores: Mapping[str, float]
    known: int
    asked: int
    cost_usd: float


def _direction(parts: Parts, rubric: str) -> Direction:
    return next(iter(judged_rubrics(parts, [rubric]).values())).direction


def _recorded(parts: Parts, series: Series, window: Window) -> dict[str, float]:
    judged = parts.store.judged(parts.source.name, series, window)
    return {output.trace_id: output.value for output in judged}


async def _scores(
    parts: Parts,
    side: Side,
    sample: Sequence[str],
    window: Window,
    run_id: str,
    clock: Callable[[], datetime],
) -> _Scores:
    recorded = _recorded(parts, side.series, window)
    known = {trace_id: recorded[trace_id] for trace_id in sample if trace_id in recorded}
    missing = [trace_id for trace_id in sample if trace_id not in known]
    if not missing:
        return _Scores(scores=known, known=len(known), asked=0, cost_usd=0.0)
    if side.evaluator is None:
        if not known:
            raise ConfigurationError(
                f"{side.series} has no scores in the store and its text is not known; give the "
                "old rubric's file instead of its version"
            )
        return _Scores(scores=known, known=len(known), asked=0, cost_usd=0.0)
    fetched = [await trace_in_full(parts, trace_id, may_be_sent=True) for trace_id in missing]
    traces = [trace for trace in fetched if isinstance(trace, Trace)]
    asked, cost_usd = await _ask(parts, side.evaluator, traces, window, run_id, clock)
    return _Scores(scores=known | asked, known=len(known), asked=len(traces), cost_usd=cost_usd)


async def _ask(
    parts: Parts,
    evaluator: RubricEvaluator,
    traces: Sequence[Trace],
    window: Window,
    run_id: str,
    clock: Callable[[], datetime],
) -> tuple[dict[str, float], float]:
    """The judge's scores by trace id, and what they cost; nothing of it is recorded as a score."""
    judge = parts.judge
    if judge is None:
        raise ConfigurationError("no judge is configured")
    judge.begin(run_id, False)
    spent = judge.spent_usd()
    parts.store.start_run(RunRecord(run_id=run_id, kind="bridge", started_at=clock()))
    assignment = Assignment(
        evaluator=evaluator, traces=traces, probabilities={t.trace_id: 1.0 for t in traces}
    )
    context = RunContext(
        window=Window.hour_of(window.start),
        run_id=run_id,
        clock=clock,
        timeout_s=EVALUATOR_TIMEOUT_S,
    )
    failure = "stopped"
    try:
        done = await run_evaluators([assignment], context)
        failure = ""
    finally:
        parts.store.finish_run(
            run_id,
            ended_at=clock(),
            status="failed" if failure else "done",
            error=failure or None,
            counts={"items": len(traces)},
            cost_usd=judge.spent_usd() - spent,
        )
    scores = {e.trace_id: e.outcome.value for e in done if isinstance(e.outcome, Score)}
    return scores, judge.spent_usd() - spent

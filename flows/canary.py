"""A run of the canaries: every judge is asked about a golden set again, and compared with itself.

The questions take the ordinary way: the same rubrics, the same judge, the same caps. What is known
from earlier runs is not used, for the point is to ask again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from alerts.canary import LEAST_COMMON, shift
from alerts.lifecycle import SYSTEM
from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.rubric import RubricEvaluator
from evaluators.run import Assignment, RunContext, run_evaluators
from flows.canary_figures import common, flips_of, is_complete, stamp
from flows.chunks import EVALUATOR_TIMEOUT_S
from flows.golden_file import GoldenItem, golden_trace, read_golden
from flows.parts import Parts
from flows.plan_file import PlanFile
from storage.canaries import CanaryReference, CanaryRun, CanaryVerdict
from storage.records import RunRecord
from storage.store import Store
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Score, Skipped
from tailwatch.window import Window

Judged = RubricEvaluator | DocumentRubricEvaluator

FIRST = "the first complete run"
"""Why a reference was pinned that no person decided about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSet:
    """A golden set under the name it is shown by."""

    name: str
    items: Sequence[GoldenItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """What a run of the canaries did, series by series, and what it cost."""

    run_id: str
    runs: Sequence[CanaryRun]
    cost_usd: float


BUNDLED = Path(__file__).parent.parent / "datasets" / "golden" / "tidewrack.jsonl"
"""The golden set that comes with tailwatch."""


def golden_set(plan_file: PlanFile, given: Path | None = None) -> GoldenSet:
    """The golden set of a file, of the plan, or the bundled one; the first of these that is given.

    A path in the plan starts from the plan's folder. Raises ConfigurationError.
    """
    named = plan_file.plan.canary.golden
    planned = BUNDLED if named is None else plan_file.folder / Path(named).expanduser()
    path = planned if given is None else given
    return GoldenSet(name=path.name, items=read_golden(path))


def judged_series(parts: Parts) -> dict[Series, Judged]:
    """The rubrics with a judge behind them, also a second one: what canaries can be run for."""
    return {
        planned.series: planned.evaluator
        for planned in parts.all_evaluators
        if isinstance(planned.evaluator, Judged) and planned.evaluator.judge
    }


async def run_canary(
    parts: Parts,
    golden: GoldenSet,
    *,
    run_id: str,
    clock: Callable[[], datetime],
    on_progress: Callable[[int, int], None] | None = None,
) -> CanaryReport:
    """Asks each judged rubric about its items, records every verdict, and compares.

    One rubric after another, so that what a cap leaves out is whole rubrics. A run that starts
    again under its id asks only what has no verdict yet. The first complete run of a series becomes
    its reference; no later one does without a person's word.
    """
    store, source = parts.store, parts.source.name
    wanted = [
        (series, evaluator, [i for i in golden.items if evaluator.name in i.labels])
        for series, evaluator in judged_series(parts).items()
    ]
    wanted = [each for each in wanted if each[2]]
    total, done = sum(len(items) for _, _, items in wanted), 0
    store.start_run(RunRecord(run_id=run_id, kind="canary", started_at=clock(), detail=golden.name))
    store.mark_lost_calls(clock())
    if parts.judge is not None:
        parts.judge.begin(run_id, True)  # asks again, whatever is known
    spent_before = parts.judge.spent_usd() if parts.judge else 0.0
    began = {run.series: run for run in store.canary_runs(source, run_id)}
    runs: list[CanaryRun] = []
    failure: str | None = None
    try:
        for series, evaluator, items in wanted:
            run = began.get(series) or CanaryRun(
                run_id=run_id,
                series=series,
                started_at=clock(),
                golden=golden.name,
                items=sum(item.probe is None for item in items),
            )
            store.record_canary_run(source, run)
            tell = None if on_progress is None else partial(_tell, on_progress, done, total)
            await _ask(store, source, run, evaluator, items, clock, tell)
            done += len(items)
            runs.append(_finish(store, source, run, evaluator, clock()))
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"[:500]
        raise
    finally:
        spent = parts.judge.spent_usd() - spent_before if parts.judge else 0.0
        store.finish_run(
            run_id,
            ended_at=clock(),
            status="done" if failure is None else "failed",
            error=failure,
            counts={"items": total, "scored": sum(run.scored for run in runs)},
            cost_usd=spent,
        )
    return CanaryReport(run_id=run_id, runs=runs, cost_usd=spent)


def _tell(on_progress: Callable[[int, int], None], before: int, total: int, count: int) -> None:
    on_progress(before + count, total)


async def _ask(
    store: Store,
    source: str,
    run: CanaryRun,
    evaluator: Judged,
    items: Sequence[GoldenItem],
    clock: Callable[[], datetime],
    tell: Callable[[int], None] | None,
) -> None:
    """Asks about the items without a verdict in this run, and records what comes back."""
    known = store.canary_verdicts(source, run.run_id, run.series)
    scored = {verdict.item for verdict in known if verdict.score is not None}
    by_id = {item.id: item for item in items}
    left = [golden_trace(item) for item in items if item.id not in scored]
    count = len(items) - len(left)

    def record(batch: Sequence[Evaluation]) -> None:
        nonlocal count
        verdicts = [_verdict(by_id[each.trace_id], evaluator, each) for each in batch]
        store.record_canary_verdicts(source, run.run_id, run.series, verdicts)
        count += len(batch)
        if tell is not None:
            tell(count)

    assignment = Assignment(
        # A fresh copy, for an evaluator about documents remembers what it asked.
        evaluator=replace(evaluator),
        traces=left,
        probabilities={trace.trace_id: 1.0 for trace in left},
    )
    context = RunContext(
        window=Window.hour_of(run.started_at),
        run_id=run.run_id,
        clock=clock,
        timeout_s=EVALUATOR_TIMEOUT_S,
    )
    await run_evaluators([assignment], context, record)


def _verdict(item: GoldenItem, evaluator: Judged, evaluation: Evaluation) -> CanaryVerdict:
    outcome, rubric = evaluation.outcome, evaluator.rubric
    label = item.labels.get(evaluator.name)
    usage = None if isinstance(outcome, Skipped) else outcome.usage.cost_usd
    verdict = CanaryVerdict(
        item=item.id,
        stamp=stamp(item),
        score=None,
        expected=None if label is None else rubric.score_of(label),
        twin=None if item.probe is None else item.probe.twin,
        asks=None if item.probe is None else rubric.score_of(item.probe.asks),
        cost_usd=usage,
    )
    if isinstance(outcome, Score):
        # An expected score differs a little in every run: what is compared is the choice.
        worth = None if outcome.label is None else rubric.score_of(outcome.label)
        score = outcome.value if worth is None else worth
        return replace(verdict, score=score, label=outcome.label)
    reason = outcome.error_type if isinstance(outcome, Failed) else outcome.reason.value
    return replace(verdict, reason=str(reason))


def _finish(
    store: Store, source: str, run: CanaryRun, evaluator: Judged, now: datetime
) -> CanaryRun:
    """The run with its figures, recorded; pinned as the reference where it is the first one."""
    verdicts = store.canary_verdicts(source, run.run_id, run.series)
    plain = [verdict for verdict in verdicts if verdict.twin is None]
    labelled = [v for v in plain if v.score is not None and v.expected is not None]
    flips = [flip for flip in flips_of(verdicts).values() if flip is not None]
    ended = replace(
        run,
        ended_at=run.ended_at or now,
        scored=sum(verdict.score is not None for verdict in plain),
        reasons=Counter(verdict.reason for verdict in verdicts if verdict.reason is not None),
        agreed=sum(verdict.score == verdict.expected for verdict in labelled),
        labelled=len(labelled),
        probes=len(flips),
        flipped=sum(flips),
    )
    ended = _compared(store, source, ended, evaluator, plain)
    store.record_canary_run(source, ended)
    if is_complete(ended):
        first = CanaryReference(
            series=run.series,
            run_id=run.run_id,
            decided_at=ended.ended_at or now,
            who=SYSTEM,
            why=FIRST,
        )
        store.pin_canary_reference(source, first, only_first=True)
    return ended


def _compared(
    store: Store, source: str, run: CanaryRun, evaluator: Judged, plain: Sequence[CanaryVerdict]
) -> CanaryRun:
    """The run compared with the reference in force, where both are there and about the same."""
    reference = reference_of(store, source, run.series)
    if reference is None or reference == run.run_id or not is_complete(run):
        return run
    before, after = common(store.canary_verdicts(source, reference, run.series), plain)
    if len(after) < LEAST_COMMON * run.items:
        return run
    found = shift(before, after, evaluator.direction)
    return replace(
        run,
        compared_with=reference,
        pairs=found.pairs,
        better=found.better,
        worse=found.worse,
    )


def reference_of(store: Store, source: str, series: Series) -> str | None:
    """The id of the run that is the reference in force."""
    pinned = [each for each in store.canary_references(source) if each.series == series]
    return pinned[-1].run_id if pinned else None

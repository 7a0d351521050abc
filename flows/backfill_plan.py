"""What a backfill would do, before it does it: hours, traces, evaluations and money."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flows.evaluate_window import Redo, outstanding
from flows.listing import list_hour, split_waiting
from flows.narrowing import WHOLE_HOURS, Narrowing, narrowed
from flows.parts import Parts, PlannedEvaluator
from flows.questions import QuestionCount
from flows.sampling_day import sampling_day
from storage.records import RecordedOutcome
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import SkipReason
from tailwatch.plan import BATCH_PRICE_SHARE, JudgePlan
from tailwatch.window import Window

LATELY = timedelta(days=30)
"""How far back the costs are looked at that an estimate expects."""


_LAST_RUNS = 50


class Only(StrEnum):
    """Which evaluations a backfill makes."""

    MISSING = "missing"
    """Those that were never made, which is all of them after a rubric, version or model change, and
    those that were skipped because nothing to make them with was configured: all other choices but
    the last take these too."""
    FAILED = "failed"
    """The missing and the failed ones."""
    OVER_BUDGET = "over_budget"
    """The missing ones and those that the cap left out."""
    VERSION_CHANGED = "version_changed"
    """Those that another version of the evaluator, or another judge, made before: what a changed
    rubric has yet to score anew, and nothing that was never scored."""
    EVERYTHING = "everything"
    """All of them again, paid ones included."""


def redo_for(only: Only) -> Redo:
    """Whether a recorded outcome is evaluated again under that choice."""

    def redo(recorded: RecordedOutcome) -> bool:
        if recorded.reason == SkipReason.NOT_CONFIGURED:
            return True
        if only is Only.FAILED:
            return recorded.kind == "failed"
        if only is Only.OVER_BUDGET:
            return recorded.reason == "over_budget"
        return only is Only.EVERYTHING

    return redo


def with_evaluators(parts: Parts, names: Collection[str]) -> Parts:
    """The parts with the named evaluators alone; all of them when no name is given.

    Raises ConfigurationError for a name that is not in the plan.
    """
    if not names:
        return parts
    known = {planned.evaluator.name for planned in parts.evaluators}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{name!r} is not an evaluator of this plan; known: {', '.join(sorted(known))}"
            )
    chosen = tuple(p for p in parts.evaluators if p.evaluator.name in names)
    return replace(parts, evaluators=chosen, partial=len(chosen) < len(parts.evaluators))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a backfill would do.

    `evaluations` counts what is outstanding by evaluator, and `questions` what a judge would be
    asked at the most, by rubric: a document that several evaluators ask about is asked about once.
    `one_call_each_usd` is what one call for each question would cost with the longest prompt and
    answer it may have, before the cap: no bound, since a failed call is tried again. `expected_usd`
    is what the questions cost if they cost as those of the last 30 days did; None where there were
    none. Both are None when no judge is involved. `expected_s` is how long one worker takes if it
    is as fast as the last runs were; None where there were none.
    """

    windows: int
    listed: int
    to_fetch: int
    evaluations: dict[str, int]
    one_call_each_usd: float | None
    cap_usd: float | None
    batch_price_share: float = BATCH_PRICE_SHARE
    questions: Mapping[str, int] = field(default_factory=dict)
    expected_usd: float | None = None
    expected_s: float | None = None

    @property
    def likely_usd(self) -> float:
        """What it may well cost: as lately, else one call for each question, up to the cap."""
        asked = self.one_call_each_usd if self.expected_usd is None else self.expected_usd
        return min(asked or 0.0, self.cap_usd or 0.0)


async def estimate(
    parts: Parts,
    windows: Sequence[Window],
    redo: Redo,
    now: datetime,
    on_window: Callable[[Window], None] | None = None,
    narrowing: Narrowing = WHOLE_HOURS,
) -> Estimate:
    """Counts, by listing alone, what is outstanding in the windows. Fetches and pays nothing."""
    listed = to_fetch = 0
    evaluations = {planned.evaluator.name: 0 for planned in parts.evaluators}
    count = QuestionCount()
    for window in windows:
        refs, _ = await list_hour(parts.source, window)
        eligible, _ = split_waiting(refs, window, parts.plan.timing.max_wait, now)
        day = sampling_day(parts, window, pin=False)
        flagged = day.flagged(eligible)
        needed: set[str] = set()
        recorded = parts.store.recorded(
            parts.source.name, [planned.series for planned in parts.evaluators], window
        )
        wanted = []
        for planned in parts.evaluators:
            sample = day.sample(planned, eligible, flagged)
            if narrowing:
                by_id = {ref.trace_id: ref for ref in eligible}
                sample = narrowed(parts, window, planned, sample, by_id, narrowing)
            missing = outstanding(planned, recorded[planned.series], sample, redo)
            evaluations[planned.evaluator.name] += len(missing)
            needed.update(missing)
            wanted.append((planned.evaluator, missing))
        count.add(wanted)
        listed += len(refs)
        to_fetch += len(needed)
        if on_window is not None:
            on_window(window)
    return Estimate(
        windows=len(windows),
        listed=listed,
        to_fetch=to_fetch,
        evaluations=evaluations,
        one_call_each_usd=_one_call_each(parts, count),
        cap_usd=parts.judge.caps.run_usd if parts.judge else None,
        batch_price_share=(parts.plan.judge or JudgePlan(model="")).batch_price_share,
        questions=dict(count.questions),
        expected_usd=_expected(parts, count, now),
        expected_s=_expected_s(parts, sum(evaluations.values())),
    )


def _one_call_each(parts: Parts, count: QuestionCount) -> float | None:
    if parts.judge is None or not any(_is_judged(p, parts) for p in parts.evaluators):
        return None
    return count.questions.total() * parts.judge.worst_case_usd


def _expected(parts: Parts, count: QuestionCount, now: datetime) -> float | None:
    if parts.judge is None:
        return None
    return count.expected_usd(parts.store.cost_per_question(now - LATELY, parts.judge.model))


def _expected_s(parts: Parts, evaluations: int) -> float | None:
    """By how long an evaluation took in the last runs that made some, listing included."""
    seconds = made = 0.0
    for run in parts.store.runs(_LAST_RUNS):
        outcomes = sum(run.counts.get(name, 0) for name in ("scored", "skipped", "failed"))
        if run.kind in ("hourly", "backfill") and run.ended_at is not None and outcomes:
            seconds += (run.ended_at - run.started_at).total_seconds()
            made += outcomes
    return evaluations * seconds / made if made else None


def _is_judged(planned: PlannedEvaluator, parts: Parts) -> bool:
    return parts.judge is not None and planned.evaluator.judge == parts.judge.model

"""The composition root: from a plan and the environment to the parts that do the work."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from alerts.canary import RULE as JUDGE_RULE
from alerts.index import build_rule
from alerts.notifiers.index import build_notifier
from alerts.rules.limit import Limit
from alerts.rules.tail_evidence import TailEvidence
from evaluators.clients.embedder import load_embedder
from evaluators.clients.openai_judge import OpenAIJudge
from evaluators.index import build_evaluator
from evaluators.privacy import make_privacy
from evaluators.qrels import load_qrels
from evaluators.relevance import RUBRIC_SUFFIXES
from flows.collecting import OutsideBatches
from flows.judges import (
    AskedJudge,
    judge_missing,
    opened_judges,
    stand_in_of,
    terms_of,
)
from flows.parts import Destination, Parts, PlannedEvaluator, PlannedRule, directions_of
from flows.plan_file import PlanFile
from flows.questions import asks_of
from sources.index import build_source
from storage.store import Store, open_store
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError, PlanError
from tailwatch.evaluation import Series
from tailwatch.plan import EvaluatorPlan, JudgePlan, NotifyPlan, Plan, RulePlan
from tailwatch.protocols import EvaluatorTools, Judge
from tailwatch.settings import Settings

CACHE_FOLDER = "cache"
"""Where below `TAILWATCH_HOME` is kept what can be made again: indexes of files, vectors."""


@asynccontextmanager
async def open_parts(plan_file: PlanFile, settings: Settings) -> AsyncIterator[Parts]:
    """The parts of one run, closed at its end. The store's schema has been checked.

    Raises PlanError with a line for each fault, StoreError when the store cannot be used.
    """
    with opened_store(settings, plan_file.plan) as store:
        async with opened_judges(plan_file, settings, store) as (judge, second):
            store.check_schema()
            outside = partial(OutsideBatches, store=store) if store.any_batch_open() else None
            cache = settings.home / CACHE_FOLDER
            yield build_parts(plan_file, judge, store, cache, outside, second)


@contextmanager
def opened_store(settings: Settings, plan: Plan | None = None) -> Iterator[Store]:
    """The results store, closed at the end; its schema is not checked."""
    store = (
        open_store(settings.store) if plan is None else open_store(settings.store, plan.keep_text)
    )
    try:
        yield store
    finally:
        store.close()


def build_parts(
    plan_file: PlanFile,
    judge: OpenAIJudge | None,
    store: Store,
    cache: Path | None = None,
    around: Callable[[Judge], Judge] | None = None,
    second: OpenAIJudge | None = None,
) -> Parts:
    """The plan's parts; `cache` is a folder for what can be made again, and `around` makes the
    judge that evaluators ask of the one they would ask. `second` stands in for the judge.

    Raises PlanError with a line for each part that cannot be built.
    """
    plan, folder = plan_file.plan, plan_file.folder
    problems: list[str] = []

    def built(location: tuple[str | int, ...], build: Callable[..., Any], *args: Any) -> Any:
        try:
            return build(*args)
        except ConfigurationError as error:
            problems.append(plan_file.fault(location, error))
            return None

    source_plan = plan.source.model_copy(update={"options": _rooted(plan.source.options, folder)})
    source = built(("source",), build_source, source_plan, cache)
    qrels = (
        None
        if plan.qrels is None
        else built(("qrels",), load_qrels, Path(_from(folder, plan.qrels)))
    )
    reuse = (plan.judge or JudgePlan(model="")).reuse
    asked = None if judge is None else AskedJudge.of(judge, reuse)
    standing_by = None if judge is None or second is None else AskedJudge.of(second, reuse)
    judged: Judge | None = None if asked is None else asked.asked
    tools = EvaluatorTools(
        judge=around(judged) if judged is not None and around is not None else judged,
        judge_missing=judge_missing(plan),
        embedder=partial(load_embedder, cache=cache and cache / "vectors"),
        qrels=qrels,
        max_material_chars=(plan.judge or JudgePlan(model="")).max_material_chars,
        privacy=built(("privacy", "redact"), make_privacy, plan.privacy),
    )
    evaluators = [
        built(("evaluators", i), _planned, each, plan, folder, tools)
        for i, each in enumerate(plan.evaluators)
    ]
    rules = [built(("rules", i), _planned_rule, rule, plan) for i, rule in enumerate(plan.rules)]
    destinations = [built(("notify", i), _destination, each) for i, each in enumerate(plan.notify)]
    if not problems:
        problems += _repeated(plan_file, evaluators)
        problems += _unwatched(plan_file, evaluators)
        problems += _watched_twice(plan_file, evaluators, rules)
        problems += _wrong_tails(plan_file, evaluators, rules)
        problems += _caps_of_nothing(plan_file, evaluators)
    if problems:
        raise PlanError(problems)
    stand_in = None
    if asked is not None and standing_by is not None:
        replaced = replace(tools, judge=standing_by.asked)
        stand_in = stand_in_of(
            asked,
            standing_by,
            [
                replace(_planned(each, plan, folder, replaced), stands_in_for=planned.series)
                for planned, each in zip(evaluators, plan.evaluators, strict=True)
                if planned.evaluator.judge == asked.judge.model
            ],
            patience=_patience(plan),
        )
    return Parts(
        plan=plan,
        source=source,
        evaluators=tuple(evaluators),
        rules=tuple(rules),
        judge=None if asked is None else terms_of(asked, standing_by),
        destinations=tuple(destinations),
        store=store,
        stand_in=stand_in,
    )


def _patience(plan: Plan) -> timedelta:
    second = plan.judge.second if plan.judge else None
    return timedelta(0) if second is None else second.patience


def _planned(
    plan: EvaluatorPlan, whole: Plan, folder: Path, tools: EvaluatorTools
) -> PlannedEvaluator:
    if plan.rubric is not None:
        plan = plan.model_copy(update={"rubric": _from(folder, plan.rubric)})
    judgements = plan.options.get("judgements")
    if isinstance(judgements, str) and judgements.endswith(RUBRIC_SUFFIXES):
        options = {**plan.options, "judgements": _from(folder, judgements)}
        plan = plan.model_copy(update={"options": options})
    return PlannedEvaluator(
        evaluator=build_evaluator(plan, tools), design=(plan.sampling or whole.sampling).design()
    )


def _planned_rule(plan: RulePlan, whole: Plan) -> PlannedRule:
    if plan.name == JUDGE_RULE:
        raise ConfigurationError(
            f"the name {JUDGE_RULE!r} is that of the alerts about judges; choose another"
        )
    segments = whole.segments if plan.segments is None else plan.segments
    return PlannedRule(rule=build_rule(plan), plan=plan, segments=segments)


def _destination(plan: NotifyPlan) -> Destination:
    return Destination(plan=plan, notifier=build_notifier(plan, os.environ))


def _rooted(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The options with a relative `path` made to start from the plan's folder."""
    rooted = dict(options)
    path = rooted.get("path")
    if isinstance(path, str):
        rooted["path"] = _from(folder, path)
    elif isinstance(path, list):
        rooted["path"] = [_from(folder, p) if isinstance(p, str) else p for p in path]
    return rooted


def _from(folder: Path, path: str) -> str:
    """The path, made to start from the folder if it is relative; `~` is the user's home."""
    return str(folder / Path(path).expanduser())


def _repeated(plan_file: PlanFile, evaluators: list[PlannedEvaluator]) -> list[str]:
    first: dict[Series, int] = {}
    problems = []
    for i, planned in enumerate(evaluators):
        if planned.series in first:
            error = ConfigurationError(f"{planned.series} is in the plan twice; keep one")
            problems.append(plan_file.fault(("evaluators", i), error))
        first.setdefault(planned.series, i)
    return problems


def _unwatched(plan_file: PlanFile, evaluators: list[PlannedEvaluator]) -> list[str]:
    plan = plan_file.plan
    known = {*(e.evaluator.name for e in evaluators), *plan.measures, "*"}
    return [
        plan_file.fault(
            ("rules", i, "series"),
            ConfigurationError(
                f"{name!r} is neither an evaluator nor a measure of this plan; "
                f"known: {', '.join(sorted(known))}"
            ),
        )
        for i, rule in enumerate(plan.rules)
        for name in rule.series
        if name not in known
    ]


def _watched_twice(
    plan_file: PlanFile, evaluators: list[PlannedEvaluator], rules: list[PlannedRule]
) -> list[str]:
    """A fault for each rule of tail evidence on a series that another one watches already."""
    first: dict[Series, str] = {}
    problems = []
    for i, planned in enumerate(rules):
        if not isinstance(planned.rule, TailEvidence):
            continue
        watched = [s for s in directions_of(plan_file.plan, evaluators) if planned.watches(s)]
        both = next((series for series in watched if series in first), None)
        if both is not None:
            error = ConfigurationError(
                f"{both.evaluator} is watched by the tail_evidence rule {first[both]!r} already, "
                "and a series has one baseline; give each rule `series` of its own"
            )
            problems.append(plan_file.fault(("rules", i), error))
        for series in watched:
            first.setdefault(series, planned.rule.name)
    return problems


def _caps_of_nothing(plan_file: PlanFile, evaluators: list[PlannedEvaluator]) -> list[str]:
    """A fault for each cap on a rubric that is not asked; without a judge none is."""
    plan = plan_file.plan.judge
    asked = {asks.rubric for each in evaluators if (asks := asks_of(each.evaluator)) is not None}
    if plan is None or not asked:
        return []
    return [
        plan_file.fault(
            ("judge", "max_cost_usd_of", name),
            ConfigurationError(
                f"no evaluator of this plan asks the rubric {name!r}; "
                f"asked are: {', '.join(sorted(asked))}"
            ),
        )
        for name in plan.max_cost_usd_of
        if name not in asked
    ]


def _wrong_tails(
    plan_file: PlanFile, evaluators: list[PlannedEvaluator], rules: list[PlannedRule]
) -> list[str]:
    """A fault for each limit on a percentile at the good end of a series that it watches."""
    problems = []
    for i, planned in enumerate(rules):
        side = planned.rule.side if isinstance(planned.rule, Limit) else None
        for series, direction in directions_of(plan_file.plan, evaluators).items():
            if side is None or direction is side or not planned.watches(series):
                continue
            higher = direction is Direction.HIGHER_IS_BETTER
            error = ConfigurationError(
                f"the bad end of {series.evaluator} is the {'low' if higher else 'high'} one; "
                f"use a quantile such as {'p10' if higher else 'p95'}, or `share`"
            )
            problems.append(plan_file.fault(("rules", i, "options", "quantile"), error))
    return problems

"""The composition root: from a plan and the environment to the parts that do the work."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from alerts.index import build_rule
from alerts.notifiers.index import build_notifier
from alerts.rules.limit import Limit
from alerts.rules.tail_evidence import TailEvidence
from evaluators.clients.embedder import load_embedder
from evaluators.clients.openai_judge import OpenAIJudge, make_judge
from evaluators.clients.remembered import RememberingJudge
from evaluators.clients.run_ledger import RunLedger
from evaluators.index import build_evaluator
from evaluators.privacy import make_privacy
from evaluators.qrels import load_qrels
from evaluators.relevance import RUBRIC_SUFFIXES
from flows.collecting import OutsideBatches
from flows.parts import Destination, JudgeTerms, Parts, PlannedEvaluator, PlannedRule, directions_of
from flows.plan_file import PlanFile
from sources.index import build_source
from storage.store import Store, open_store
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError, PlanError
from tailwatch.evaluation import Series
from tailwatch.judge_calls import CallLedger
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
        judge = build_judge(plan_file.plan.judge, settings, store)
        try:
            store.check_schema()
            outside = partial(OutsideBatches, store=store) if store.any_batch_open() else None
            yield build_parts(plan_file, judge, store, settings.home / CACHE_FOLDER, outside)
        finally:
            if judge is not None:
                await judge.close()


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


def build_judge(
    plan: JudgePlan | None, settings: Settings, ledger: CallLedger | None = None
) -> OpenAIJudge | None:
    """The judge, or None where neither an API key nor an address is set.

    Its calls are booked in the ledger; without one they are in nobody's books.
    """
    key = settings.judge_api_key.get_secret_value() if settings.judge_api_key else None
    if not key and not settings.judge_url:
        return None
    if plan is None and settings.judge_model is None:
        return None
    chosen = plan or JudgePlan(model=settings.judge_model or "")
    return make_judge(
        chosen,
        url=settings.judge_url,
        api_key=key,
        model=settings.judge_model,
        ledger=None if ledger is None else RunLedger(ledger, chosen.caps, clock=_now),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def build_parts(
    plan_file: PlanFile,
    judge: OpenAIJudge | None,
    store: Store,
    cache: Path | None = None,
    around: Callable[[Judge], Judge] | None = None,
) -> Parts:
    """The plan's parts; `cache` is a folder for what can be made again, and `around` makes the
    judge that evaluators ask of the one they would ask.

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
    asked = None if judge is None else RememberingJudge(judge, judge.ledger, reuse)
    tools = EvaluatorTools(
        judge=asked if asked is None or around is None else around(asked),
        judge_missing=_judge_missing(plan),
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
    if problems:
        raise PlanError(problems)
    return Parts(
        plan=plan,
        source=source,
        evaluators=tuple(evaluators),
        rules=tuple(rules),
        judge=None if judge is None or asked is None else _terms(judge, asked),
        destinations=tuple(destinations),
        store=store,
    )


def _terms(judge: OpenAIJudge, asked: RememberingJudge) -> JudgeTerms:
    def begin(run_id: str, ask_again: bool) -> None:
        judge.ledger.begin(run_id)
        asked.begin(ask_again=ask_again)

    return JudgeTerms(
        model=judge.model,
        caps=judge.ledger.caps,
        worst_case_usd=judge.worst_case_usd,
        spent_usd=lambda: judge.spent_usd,
        begin=begin,
    )


def _judge_missing(plan: Plan) -> str:
    needed = (
        "set OPENAI_API_KEY"
        if plan.judge is not None
        else "set OPENAI_API_KEY and name a model under `judge:` in the plan"
    )
    return (
        f"no judge is configured: {needed}, "
        "or TAILWATCH_JUDGE_URL and TAILWATCH_JUDGE_MODEL for an endpoint of your own"
    )


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

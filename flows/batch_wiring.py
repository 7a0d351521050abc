"""Batch backfills from a plan and the environment, for the commands and the flows."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evaluators.clients.batch_lines import BatchTerms
from evaluators.clients.openai_batch import BatchEndpoint, make_batch_endpoint
from evaluators.clients.openai_judge import OpenAIJudge
from flows.backfill_plan import Only, estimate, redo_for, with_evaluators
from flows.batch_work import BatchWork
from flows.batches import Progress, advance, collect, job_for
from flows.chunks import Clock, RunChunk, evaluate_chunk
from flows.evaluate_window import WindowReport
from flows.judges import build_judge
from flows.parts import Parts
from flows.plan_file import PlanFile
from flows.wiring import CACHE_FOLDER, build_parts, open_parts, opened_store
from storage.store import Store
from tailwatch.errors import ConfigurationError
from tailwatch.plan import JudgePlan
from tailwatch.protocols import Judge
from tailwatch.settings import Settings
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A plan and its environment, and how the chunks of its hours are run and followed."""

    plan_file: PlanFile
    settings: Settings
    clock: Clock
    run_chunk: RunChunk = evaluate_chunk
    on_window: Callable[[WindowReport], None] | None = None


@asynccontextmanager
async def open_batch_work(setting: Setting) -> AsyncIterator[BatchWork]:
    """What batch backfills work with, closed at the end.

    Raises ConfigurationError where no judge is configured, and what `open_parts` raises.
    """
    plan, settings = setting.plan_file.plan, setting.settings
    with opened_store(settings, plan) as store:
        store.check_schema()
        judge = build_judge(plan.judge, settings, store)
        if judge is None:
            raise ConfigurationError(
                "batches need a judge: set OPENAI_API_KEY, and name a model under `judge:` in the "
                "plan"
            )
        key = settings.judge_api_key.get_secret_value() if settings.judge_api_key else None
        endpoint = make_batch_endpoint(url=settings.judge_url, api_key=key)
        try:
            yield _work(setting, store, judge, endpoint)
        finally:
            await endpoint.close()
            await judge.close()


async def backfill_in_batches(
    setting: Setting, window: Window, names: Collection[str], only: Only
) -> Progress:
    """Starts that backfill, or goes on with it if it is under way.

    Raises ConfigurationError for an endpoint without batches, and what `advance` raises.
    """
    async with open_batch_work(setting) as work:
        await work.endpoint.check()
        parts = with_evaluators(work.parts_with(_asked_by(work)), names)
        return await advance(work, job_for(work, parts, window, only))


async def collect_batches(setting: Setting) -> list[Progress]:
    """Goes on with every batch backfill of the source; nothing is opened where there is none."""
    with opened_store(setting.settings, setting.plan_file.plan) as store:
        store.check_schema()
        if not store.batch_jobs(setting.plan_file.plan.source.name, open_only=True):
            return []
    async with open_batch_work(setting) as work:
        return await collect(work)


async def chooses_batches(
    setting: Setting, window: Window, names: Collection[str], only: Only
) -> bool:
    """Whether the backfill may put more questions than `judge.batch_over`. Lists its hours."""
    most = setting.plan_file.plan.judge.batch_over if setting.plan_file.plan.judge else None
    if most is None:
        return False
    async with open_parts(setting.plan_file, setting.settings) as whole:
        parts = with_evaluators(whole, names)
        hours = list(window.hours())
        counted = await estimate(parts, hours, redo_for(only), setting.clock())
    return sum(counted.questions.values()) > most


def _work(setting: Setting, store: Store, judge: OpenAIJudge, endpoint: BatchEndpoint) -> BatchWork:
    plan = setting.plan_file.plan
    terms = plan.judge or JudgePlan(model=judge.model)
    cache = setting.settings.home / CACHE_FOLDER

    def parts_with(asked: Judge) -> Parts:
        return build_parts(setting.plan_file, judge, store, cache, lambda _: asked)

    return BatchWork(
        store=store,
        source=plan.source.name,
        endpoint=endpoint,
        terms=BatchTerms(
            model=judge.model,
            dialect=judge.dialect,
            price=judge.price,
            price_share=terms.batch_price_share,
        ),
        caps=terms.caps,
        reuse=terms.reuse,
        parts_with=parts_with,
        clock=setting.clock,
        online=judge,
        run_chunk=setting.run_chunk,
        on_window=setting.on_window,
    )


def _asked_by(work: BatchWork) -> Judge:
    """The judge whose name the series bear."""
    if work.online is None:
        raise ValueError("there is no judge to name the series by")
    return work.online

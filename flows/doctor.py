"""What is configured, what answers, and what is missing, in sentences with the cure."""

import importlib.util
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.canary_book import read_book
from flows.canary_note import standings
from flows.judges import opened_judges
from flows.parts import Parts
from flows.plan_file import PlanFile, read_plan
from flows.runs import due_windows
from flows.telemetry_otlp import SIGNALS, why_not
from flows.wiring import CACHE_FOLDER, build_parts, opened_store
from storage.store import Store
from tailwatch.errors import ConfigurationError, StoreError
from tailwatch.plan import Plan
from tailwatch.settings import Settings

STALE_CANARY = timedelta(days=3)
"""After so long without a run, what a canary said is of little use."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at: fine, to be mended (ok is False), or worth knowing (None)."""

    about: str
    ok: bool | None
    sentence: str


async def examine(settings: Settings, now: datetime) -> list[Checked]:
    """Looks at the plan, the store, the source, the models and the hours that are owed."""
    return [checked async for checked in _examine(settings, now)]


async def _examine(settings: Settings, now: datetime) -> AsyncIterator[Checked]:
    try:
        plan_file = read_plan(settings.plan)
    except ConfigurationError as error:
        yield Checked("plan", False, str(error))
        return
    yield Checked("plan", True, f"{settings.plan} is valid")
    try:
        with opened_store(settings, plan_file.plan) as store:
            usable = _store(store)
            yield usable
            async for checked in _parts(plan_file, settings, store, now, usable.ok is True):
                yield checked
    except ConfigurationError as error:
        yield Checked("store", False, str(error))


def _store(store: Store) -> Checked:
    try:
        store.check_schema()
    except StoreError as error:
        return Checked("store", False, str(error))
    return Checked("store", True, "it answers and is up to date")


async def _parts(
    plan_file: PlanFile, settings: Settings, store: Store, now: datetime, store_ok: bool
) -> AsyncIterator[Checked]:
    try:
        async with opened_judges(plan_file, settings) as (judge, second):
            cache = settings.home / CACHE_FOLDER
            parts = build_parts(plan_file, judge, store, cache, second=second)
            health = await parts.source.check()
            yield Checked("source", health.ok, health.sentence)
            yield _embeddings()
            yield _judge(parts)
            for checked in _telemetry(parts.plan):
                yield checked
            if store_ok:
                for canary in _canaries(parts, now):
                    yield canary
                yield _owed(parts, now)
    except ConfigurationError as error:
        yield Checked("plan", False, str(error))


def _embeddings() -> Checked:
    if importlib.util.find_spec("sentence_transformers") is None:
        return Checked(
            "embeddings",
            None,
            "sentence-transformers is not installed, so embedding evaluators skip; "
            "pip install 'tailwatch[embeddings]' sets it up",
        )
    return Checked("embeddings", True, "sentence-transformers is installed")


def _judge(parts: Parts) -> Checked:
    if parts.judge is None:
        return Checked(
            "judge",
            None,
            "none is configured, so rubric evaluators skip; set OPENAI_API_KEY, or "
            "TAILWATCH_JUDGE_URL and TAILWATCH_JUDGE_MODEL for an endpoint of your own",
        )
    stand_in = parts.stand_in
    stands_in = f"; {stand_in.model} stands in for it while it is down" if stand_in else ""
    return Checked(
        "judge",
        True,
        f"{parts.judge.model}, at most {parts.judge.caps.run_usd:.2f} USD a run "
        f"(not called: that would cost money){stands_in}",
    )


def _telemetry(plan: Plan) -> Iterator[Checked]:
    """Whether the collector that the plan tells can be told at all; it is not asked."""
    if not plan.telemetry.otlp:
        return
    missing = [why for signal in SIGNALS if (why := why_not(signal, os.environ)) is not None]
    for why in missing:
        yield Checked("telemetry", False, why)
    if not missing:
        yield Checked("telemetry", True, "scores and figures go to a collector")


def _canaries(parts: Parts, now: datetime) -> Iterator[Checked]:
    """Whether somebody would notice if a judge changed, and whether one did."""
    book = read_book(parts.store, parts.source.name)
    for found in standings(parts, book):
        sentence = f"{found.series.evaluator}: {found.sentence}"
        age = None if found.latest is None else now - found.latest.started_at
        if found.moved:
            cure = "look at it with `tailwatch canary show`, then `tailwatch canary accept`"
            yield Checked("canary", False, f"{sentence}; {cure}")
        elif not found.fine:
            yield Checked("canary", None, f"{sentence}; `tailwatch canary run` asks the judge")
        elif age is not None and age > STALE_CANARY:
            yield Checked("canary", None, f"{sentence}; that was {age.days} days ago")
        else:
            yield Checked("canary", True, sentence)


def _owed(parts: Parts, now: datetime) -> Checked:
    windows = due_windows(parts.store, parts.source.name, parts.plan.timing, now)
    done = {
        record.window
        for window in windows
        for record in parts.store.windows(parts.source.name, window)
        if record.status == "done" and record.restating is None
    }
    owed = [window for window in windows if window not in done]
    last = parts.store.last_window(parts.source.name)
    since = f"the newest evaluated hour is {last}" if last else "no hour is evaluated yet"
    if owed:
        return Checked(
            "hours",
            None,
            f"{len(owed)} hours are owed; `tailwatch run` or the next hourly run takes them; "
            f"{since}",
        )
    return Checked("hours", True, f"none is owed; {since}")

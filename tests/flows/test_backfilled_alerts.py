"""What a backfill finds about the past: in the alerts' history, and nobody is paged for it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.index import build_rule
from flows.backfill_order import BackfillRequest, order_of, parts_for
from flows.checking import check_alerts, owed_checks
from flows.parts import Parts, PlannedRule
from flows.sharing import work_on
from storage.store import Store
from tailwatch.outcome import Outcome, Score
from tailwatch.plan import RulePlan
from tailwatch.trace import Trace
from tailwatch.window import HOUR, Window
from tests.builders import START, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator
from tests.flows.alert_story import parts_for as parts_with_destinations
from tests.flows.alert_story import send
from tests.flows.parts import make_parts, migrated_store
from tests.receivers import Receiver

DAYS, PER_HOUR = 5, 4
NOW = START + DAYS * timedelta(days=1)
WHOLE = Window(START, NOW)
BAD = Window(START + timedelta(days=2), START + timedelta(days=3))
RULE = {"line": 0.5, "quantile": "p10"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def make(store: Store, receiver: Receiver, version: str) -> Parts:
    """A plan whose evaluator, in that version, sees half of the answers of one day as bad."""
    traces = [
        make_trace(source="memory", trace_id=f"t{n}", start_time=START + n * HOUR / PER_HOUR)
        for n in range(DAYS * 24 * PER_HOUR)
    ]
    source = MemorySource(traces, page_size=1000)
    plan = RulePlan(use="limit", series=("scripted",), options=RULE)
    parts = make_parts(
        store,
        source,
        ScriptedEvaluator(verdict=verdict, version=version),
        rules=[PlannedRule(rule=build_rule(plan), plan=plan, segments=())],
        chunk_size=1000,
    )
    hook = parts_with_destinations(store, receiver.url, {"use": "webhook"})
    return replace(parts, destinations=hook.destinations)


def verdict(trace: Trace) -> Outcome:
    bad = trace.start_time in BAD and int(trace.trace_id[1:]) % 2
    return Score(value=0.1 if bad else 0.9)


def backfill(parts: Parts, window: Window, now: datetime) -> None:
    job = parts.store.open_backfill(order_of(BackfillRequest(window=window), parts), now)
    asyncio.run(work_on(parts_for(job, parts), job, clock=lambda: now))


def check(parts: Parts, until: datetime) -> None:
    """A check of all that is owed, and sending."""
    check_alerts(parts, owed_checks(parts.store, "memory", until))
    send(parts, until)


def test_a_first_backfill_finds_what_is_over_and_pages_nobody(
    store: Store, receiver: Receiver
) -> None:
    parts = make(store, receiver, "1")
    backfill(parts, WHOLE, NOW)
    check(parts, NOW)
    (alert,) = store.alerts(limit=None, source="memory")
    assert alert.state.over
    assert alert.opened_at < NOW - timedelta(days=1)
    told = store.notices("memory", ["pending", "sent", "given_up"])
    assert told
    assert {(each.state, each.notice.history) for each in told} == {("given_up", True)}
    assert receiver.taken == []


@pytest.mark.parametrize(("days_ago", "messages"), [(0, 1), (1, 0)])
def test_a_backfill_beside_the_checks_pages_nobody_about_what_is_over(
    store: Store, receiver: Receiver, days_ago: int, messages: int
) -> None:
    """A new version is watched from some hour on, and then backfilled over a bad day.

    Only where the bad day reaches into the present is there something to page for.
    """
    end = BAD.end + days_ago * timedelta(days=1)
    parts = make(store, receiver, "2")
    backfill(parts, Window(end - HOUR, end), end)
    check(parts, end)
    assert receiver.taken == []
    backfill(parts, Window(START, end), end)
    check(parts, end + HOUR)
    assert len(receiver.taken) == messages

"""An alert and its messages through its life, as a check or a person records them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.lifecycle import Policy, advance
from alerts.notifiers.index import build_notifier
from flows.notifying import SendReport, notices, send_due
from flows.parts import Destination, Parts, PlannedRule
from storage.store import Store
from tailwatch.alert import Alert, AlertEvent, Finding, FindingStatus, Segment
from tailwatch.evaluation import Series
from tailwatch.plan import NotifyPlan, RulePlan
from tailwatch.window import HOUR, Window
from tests.builders import START
from tests.fakes import MemorySource, SteppingClock
from tests.flows.parts import make_parts
from tests.receivers import PAGERDUTY_KEY, SLACK_PATH

FAITHFULNESS = Series(evaluator="faithfulness", version="1", judge="judge-small")
SEARCH = Segment(field="feature", value="search")
SOURCE = "memory"
POLICY = Policy(resolve_after=1)


def parts_for(store: Store, receiver_url: str, *plans: dict[str, Any]) -> Parts:
    """Parts whose messages go to the receiver, under a rule of severity critical."""
    environment = {
        "SLACK": receiver_url + SLACK_PATH,
        "PAGER": PAGERDUTY_KEY,
        "HOOK": f"{receiver_url}/hook",
    }
    entries: dict[str, dict[str, Any]] = {
        "slack": {"url_env": "SLACK"},
        "pagerduty": {"key_env": "PAGER", "options": {"url": receiver_url}},
        "webhook": {"url_env": "HOOK"},
    }
    chosen = [NotifyPlan.model_validate(entries[plan["use"]] | plan) for plan in plans]
    destinations = [
        Destination(plan=plan, notifier=build_notifier(plan, environment)) for plan in chosen
    ]
    rule = RulePlan(use="floor", name="p10_floor", options={"line": 0.5})
    return replace(
        make_parts(store, MemorySource([], name=SOURCE)),
        destinations=tuple(destinations),
        rules=(PlannedRule(rule=_Named(name="p10_floor"), plan=rule, segments=()),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A rule of which only the name is asked."""

    name: str
    history: timedelta = HOUR

    def check(self, *_: Any) -> Finding:
        raise NotImplementedError


def at(hour: int) -> datetime:
    return START + hour * HOUR


def found(status: FindingStatus, hour: int) -> Finding:
    return Finding(
        rule="p10_floor",
        series=FAITHFULNESS,
        segment=SEARCH,
        window=Window(at(hour - 1), at(hour)),
        status=status,
        sentence=f"62 of 500 scored 0.25 or lower, seen at {hour}.",
        onset=at(hour - 1) if status is FindingStatus.BREACH else None,
        numbers={"bad": 62, "n": 500},
    )


class Story:
    """One alert through its life, recorded as a check or a person records it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.alert: Alert | None = None

    def check(self, status: FindingStatus, hour: int) -> None:
        step = advance(self.alert, found(status, hour), at(hour), POLICY)
        assert step.alert is not None
        self.record(step.alert, step.events)

    def attach(self, hour: int, *sentences: str) -> None:
        alert = self.known
        events = [
            AlertEvent(
                alert_id=alert.alert_id,
                at=at(hour),
                before=alert.state,
                after=alert.state,
                who="tailwatch",
                why=f"another monitor: {sentence}",
            )
            for sentence in sentences
        ]
        self.record(alert, events)

    def person(self, act: Callable[..., Any], hour: int, **how: Any) -> None:
        step = act(self.known, who="ann", why="I <look> at it", now=at(hour), **how)
        self.record(step.alert, step.events)

    @property
    def known(self) -> Alert:
        assert self.alert is not None
        return self.alert

    def record(self, alert: Alert, events: Any, known_at: datetime | None = None) -> None:
        told = notices(self.parts, alert, events, known_at or alert.updated_at)
        self.parts.store.record_alert(SOURCE, alert, events, told)
        self.alert = alert


BREACH, OK = FindingStatus.BREACH, FindingStatus.OK


def send(
    parts: Parts, now: datetime, patience: timedelta = timedelta(seconds=60)
) -> list[SendReport]:
    """One run of the sender that begins at `now` and whose pauses pass at once."""
    clock = SteppingClock(now)

    async def sleep(seconds: float) -> None:
        clock.now += timedelta(seconds=seconds)

    return asyncio.run(
        send_due(
            parts.store, SOURCE, parts.destinations, clock=clock, sleep=sleep, patience=patience
        )
    )

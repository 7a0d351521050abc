"""The events of alerts as Prefect's own server has them, after real runs of the check's flow."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.events.worker import EventsWorker
from prefect.testing.utilities import prefect_test_harness

from flows.alert_events import emit_alert_events
from flows.check_alerts import check_alerts
from storage.store import Store, open_store
from tailwatch.window import HOUR, floor_hour
from tests.flows import test_cli
from tests.flows.test_cli import Tailwatch

project, tailwatch = test_cli.project, test_cli.tailwatch

HOURS, BAD, PER_HOUR = 40, range(12, 17), 10
PATIENCE_S = 60.0
PLAN = """\
source: {use: files, name: live, options: {path: live.jsonl}}
evaluators: [{use: token_f1}]
measures: [latency_ms]
segments: [feature]
rules:
  - {use: limit, segments: [], series: [latency_ms], options: {line: 4000, quantile: p90}}
timing: {settle: SETTLE}
"""

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]


@pytest.fixture
def begin(project: Path) -> datetime:
    """The first of the last hours: quiet ones, a few in which every answer is slow, quiet ones."""
    begin = floor_hour(datetime.now(UTC)) - HOURS * HOUR
    (project / "live.jsonl").write_text("".join(_records(begin)))
    return begin


@pytest.fixture
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def store(project: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{project / '.tailwatch' / 'tailwatch.db'}") as opened:
        opened.upgrade()
        yield opened


@pytest.mark.usefixtures("server")
def test_a_check_that_opens_and_resolves_an_alert_says_so_to_prefect(
    project: Path, tailwatch: Tailwatch, begin: datetime, store: Store
) -> None:
    plan = project / "tailwatch.yaml"
    plan.write_text(PLAN.replace("SETTLE", "10m"))
    end = begin + HOURS * HOUR
    tailwatch("backfill", "--from", begin.isoformat(), "--to", end.isoformat())

    # Hours settle so late that the first check sees no more than the first slow ones.
    plan.write_text(PLAN.replace("SETTLE", f"{HOURS - BAD.start - 3}h"))
    assert asyncio.run(check_alerts()) == 1
    (alert,) = store.unresolved_alerts("live")
    assert tailwatch("alerts", "ack", alert.alert_id, "--who", "ann")[0] == 0
    acknowledged = store.alert_events(alert.alert_id)[-1]
    emit_alert_events(store, "live", [acknowledged])
    plan.write_text(PLAN.replace("SETTLE", "10m"))
    assert asyncio.run(check_alerts()) == 0

    events = wait_for_events(3)
    assert [event.event for event in events] == [
        "tailwatch.alert.opened",
        "tailwatch.alert.acknowledged",
        "tailwatch.alert.resolved",
    ]
    for event in events:
        assert event.resource.id == f"tailwatch.alert.{alert.alert_id}"
        assert event.resource.name == f"alert {alert.alert_id}"
        about = (event.payload["source"], event.payload["rule"], event.payload["series"])
        assert about == ("live", "limit", "latency_ms v1")
        assert event.payload["segment"] == "all traffic"
        assert event.payload["alert_id"] == alert.alert_id
        assert event.payload["onset"] == (begin + BAD.start * HOUR).isoformat()
    opened, taken, resolved = (event.payload for event in events)
    assert "latency_ms in all traffic is beyond its limit" in opened["sentence"]
    assert opened["numbers"]["line"] == 4000
    assert (opened["state"], opened["who"]) == ("open", "tailwatch")
    assert (taken["state"], taken["who"]) == ("acknowledged", "ann")
    assert (resolved["state"], resolved["who"]) == ("resolved", "tailwatch")


def wait_for_events(count: int) -> list[Event]:
    """The events of alerts that the server has, oldest first, when there are so many."""
    EventsWorker.drain_all()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = asyncio.run(_events())
        if len(found) >= count or time.monotonic() > deadline:
            return sorted(found, key=lambda event: event.occurred)
        time.sleep(0.5)


async def _events() -> list[Event]:
    wanted = EventFilter(event=EventNameFilter(prefix=["tailwatch.alert."]))
    async with get_client() as client:
        return list((await client.read_events(wanted, limit=50)).events)


def _records(begin: datetime) -> Iterator[str]:
    for number in range(HOURS * PER_HOUR):
        hour = number // PER_HOUR
        record = {
            "trace_id": f"t{number}",
            "span_id": "s",
            "timestamp": (begin + number * HOUR / PER_HOUR).isoformat(),
            "latency_ms": 9000 if hour in BAD else 900,
            "input": "When are invoices sent?",
            "output": "On the first day of the month.",
            "reference": "On the first day of each month.",
        }
        yield json.dumps(record) + "\n"

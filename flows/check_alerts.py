"""The alert check as a Prefect flow, on its own schedule: silence is noticed too."""

import asyncio
from datetime import UTC, datetime
from logging import INFO, WARNING

from prefect import flow
from prefect.logging import get_run_logger

from flows.alert_events import emit_alert_events
from flows.artifacts import leave_check_artifact
from flows.canary_alerts import settle_judge_alerts
from flows.canary_book import held_in
from flows.checking import check_alerts as check
from flows.checking import owed_checks
from flows.notifying import send_due
from flows.plan_file import read_plan
from flows.schedule import scheduled_start
from flows.telemetry import send_telemetry, telemetry_line
from flows.trust import series_behind, trust_note
from flows.wiring import open_parts
from tailwatch.settings import Settings
from tailwatch.window import Window


@flow(name="check-alerts")
async def check_alerts() -> int:
    """Applies the plan's rules to every hour that no check has looked at; says how many are open.

    It works from the stored scores alone, so an hour whose evaluation never came is seen as one
    without data. Messages are sent when everything is recorded; a destination that does not answer
    delays nothing else, and what it did not get is sent by a later check. Then
    the collector is told, where the plan has one.
    """
    log = get_run_logger()
    settings = Settings()
    scheduled = scheduled_start()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        source = parts.source.name
        until = Window.last_settled(scheduled, parts.plan.timing.settle).end
        report = check(parts, owed_checks(parts.store, source, until))
        settle_judge_alerts(parts, datetime.now(UTC))
        alerts, held = parts.store.unresolved_alerts(source), held_in(parts.store, source)
        trust = trust_note(parts, {series for alert in alerts for series in series_behind(alert)})
        sent = await send_due(
            parts.store, source, parts.destinations, clock=lambda: datetime.now(UTC)
        )
        emit_alert_events(parts.store, source, report.events)
        told = await asyncio.to_thread(
            send_telemetry, parts.store, parts.plan, lambda: datetime.now(UTC)
        )
    for event in report.events:
        log.info("alert %s: %s", event.alert_id, event.after)
    for each in sent:
        if each.error is not None:
            log.warning("messages to %s wait in the outbox: %s", each.destination, each.error)
    if told is not None:
        log.log(INFO if told.why is None else WARNING, telemetry_line(told))
    await leave_check_artifact(report, alerts, held, trust)
    return len(alerts)

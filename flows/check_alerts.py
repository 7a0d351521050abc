"""The alert check as a Prefect flow, on its own schedule: silence is noticed too."""

from prefect import flow
from prefect.logging import get_run_logger

from flows.artifacts import leave_check_artifact
from flows.checking import check_alerts as check
from flows.checking import owed_checks
from flows.plan_file import read_plan
from flows.schedule import scheduled_start
from flows.wiring import open_parts
from tailwatch.settings import Settings
from tailwatch.window import Window


@flow(name="check-alerts")
async def check_alerts() -> int:
    """Applies the plan's rules to every hour that no check has looked at; says how many are open.

    It works from the stored scores alone, so an hour whose evaluation never came is seen as one
    without data.
    """
    log = get_run_logger()
    settings = Settings()
    scheduled = scheduled_start()
    async with open_parts(read_plan(settings.plan), settings) as parts:
        source = parts.source.name
        until = Window.last_settled(scheduled, parts.plan.timing.settle).end
        report = check(parts, owed_checks(parts.store, source, until))
        alerts = parts.store.unresolved_alerts(source)
    for event in report.events:
        log.info("alert %s: %s", event.alert_id, event.after)
    await leave_check_artifact(report, alerts)
    return len(alerts)

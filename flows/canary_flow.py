"""The daily canary as a Prefect flow: asks the judges again, and says when one of them moved."""

from datetime import UTC, datetime

from prefect import flow, runtime
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from flows.canary import golden_set, judged_series, run_canary
from flows.canary_alerts import settle_judge_alerts
from flows.canary_book import shift_of
from flows.canary_note import canary_note
from flows.notifying import send_due
from flows.plan_file import read_plan
from flows.wiring import open_parts
from tailwatch.settings import Settings


@flow(name="ask-judges-again")
async def ask_judges_again() -> int:
    """Asks each judged rubric about the golden set; says how many judges' scores moved.

    Does nothing where the plan asks no judge or wants no daily canary. A judge that does not answer
    is a recorded failure and holds nothing.
    """
    log = get_run_logger()
    settings = Settings()
    plan_file = read_plan(settings.plan)
    async with open_parts(plan_file, settings) as parts:
        if not plan_file.plan.canary.daily or not judged_series(parts):
            log.info("no judge to ask, or no daily canary in the plan")
            return 0
        report = await run_canary(
            parts,
            golden_set(plan_file),
            run_id=str(runtime.flow_run.id),
            clock=lambda: datetime.now(UTC),
        )
        now = datetime.now(UTC)
        settle_judge_alerts(parts, now)
        for sent in await send_due(
            parts.store, parts.source.name, parts.destinations, clock=lambda: datetime.now(UTC)
        ):
            if sent.error is not None:
                log.warning("messages to %s wait in the outbox: %s", sent.destination, sent.error)
        note = canary_note(parts, report)
    await acreate_markdown_artifact(
        markdown=note, key="canary", description="What the judges said when asked again"
    )
    return sum(shift_of(run).moved for run in report.runs)

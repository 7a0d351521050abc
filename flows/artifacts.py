"""What a run leaves on its page in Prefect: a table of its coverage and a note for people."""

from collections.abc import Mapping, Sequence

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows.backfill_plan import Estimate
from flows.batch_notes import progress_lines
from flows.batches import Progress
from flows.checking import CheckReport
from flows.driving import BackfillReport
from flows.job_notes import job_note
from flows.notes import check_note, estimate_note, run_note
from flows.runs import RunReport
from tailwatch.alert import Alert
from tailwatch.coverage import Coverage


async def leave_run_artifacts(kind: str, report: RunReport, trust: Sequence[str]) -> None:
    """The receipt of an evaluation run."""
    rows = [_coverage_row(c) for w in report.windows for c in w.coverage]
    if rows:
        await acreate_table_artifact(
            table=rows, key=f"{kind}-coverage", description="What became of every sampled trace"
        )
    await acreate_markdown_artifact(
        markdown=run_note(report, trust), key=f"{kind}-run", description="What this run did"
    )


async def leave_backfill_artifacts(report: BackfillReport, trust: Sequence[str]) -> None:
    """The receipt of a backfill; the coverage is that of the hours which this run did itself."""
    rows = [_coverage_row(c) for w in report.here for c in w.coverage]
    if rows:
        await acreate_table_artifact(
            table=rows, key="backfill-coverage", description="What became of every sampled trace"
        )
    await acreate_markdown_artifact(
        markdown=job_note(report.job, report.progress, trust),
        key="backfill-run",
        description="What this backfill did",
    )


async def leave_check_artifact(
    report: CheckReport,
    open_alerts: Sequence[Alert],
    held: Mapping[str, str],
    trust: Sequence[str],
) -> None:
    """The receipt of an alert check."""
    await acreate_markdown_artifact(
        markdown=check_note(report, open_alerts, held, trust),
        key="alert-check",
        description="Open alerts",
    )


async def leave_estimate_artifact(counted: Estimate) -> None:
    """The answer to a dry run."""
    await acreate_markdown_artifact(
        markdown=estimate_note(counted), key="backfill-estimate", description="A dry run"
    )


async def leave_batch_artifact(advanced: Sequence[Progress]) -> None:
    """How far the backfills in batches are."""
    lines = [line for progress in advanced for line in progress_lines(progress, "tailwatch")]
    await acreate_markdown_artifact(
        markdown="\n\n".join(lines) or "No backfill waits for a batch.",
        key="batches",
        description="Backfills in batches",
    )


def _coverage_row(coverage: Coverage) -> dict[str, object]:
    return {
        "hour": f"{coverage.window.start:%Y-%m-%d %H:%M}",
        "series": str(coverage.series),
        "listed": coverage.listed,
        "eligible": coverage.eligible,
        "sampled": coverage.sampled,
        "scored": coverage.scored,
        "skipped": _counts(coverage.skipped),
        "failed": _counts(coverage.failed),
        "unreadable": coverage.unreadable,
        "late": coverage.late,
    }


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "0"

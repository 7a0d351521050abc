"""What runs and checks did, in a few lines of markdown for a person."""

from collections.abc import Mapping, Sequence

from flows.backfill_plan import Estimate
from flows.checking import CheckReport
from flows.runs import RunReport
from tailwatch.alert import Alert


def run_note(report: RunReport, trust: Sequence[str] = ()) -> str:
    """A run in a few lines of markdown, with what is known of its judges (`flows.trust`)."""
    counts = report.counts
    changed = [w for w in report.windows if w.changed]
    lines = [
        f"**{counts['windows']} hours evaluated**, {len(report.windows) - len(changed)} looked at "
        "again and unchanged.",
        "",
        f"- {counts['listed']:,} traces listed, {counts['late']:,} of them late",
        f"- {counts['scored']:,} scores, {counts['skipped']:,} skipped, "
        f"{counts['failed']:,} failed, {counts['unreadable']:,} traces unreadable",
        f"- judges cost {report.cost_usd:.4f} USD",
        *([f"- {report.note}"] if report.note else []),
        "",
        *trust,
    ]
    if changed:
        lines += ["| hour (UTC) | listed | scores | skipped | failed |", "|---|---|---|---|---|"]
    for window in changed:
        done = window.chunks
        lines.append(
            f"| {window.window.start:%Y-%m-%d %H:%M} | {window.listed} | {done.scored} "
            f"| {done.skipped} | {done.failed} |"
        )
    return "\n".join(lines)


def check_note(
    report: CheckReport,
    open_alerts: Sequence[Alert],
    held: Mapping[str, str] | None = None,
    trust: Sequence[str] = (),
) -> str:
    """A check in a few lines of markdown; the alerts' words are code, so no trace can format.

    `held` has the reasons of the alerts that are held, by id, `trust` what is known of the judges
    behind the alerts (`flows.trust`).
    """
    lines = [f"Checked {len(report.checked)} hours; {len(open_alerts)} alerts are open.", ""]
    if report.monitors:
        lines += [f"{report.monitors:,} monitors share the false-alarm budget.", ""]
    for alert in open_alerts:
        why = (held or {}).get(alert.alert_id)
        said = alert.sentence if why is None else f"{why}: {alert.sentence}"
        lines.append("- `{}` {}: `{}`".format(alert.alert_id, alert.state, said.replace("`", "'")))
    if trust:
        lines += ["", *trust]
    if report.proposals:
        lines += ["", "Baselines to think about (`tailwatch baseline promote`):", ""]
        lines += ["- `{}`".format(proposal.replace("`", "'")) for proposal in report.proposals]
    return "\n".join(lines)


def estimate_note(counted: Estimate) -> str:
    """A dry run in a few lines: what would be done, and what it may cost."""
    total = sum(counted.evaluations.values())
    lines = [
        f"{counted.windows:,} hours with {counted.listed:,} traces; {counted.to_fetch:,} of them "
        f"to fetch for {total:,} evaluations:",
        "",
        *(f"- {name}: {count:,}" for name, count in counted.evaluations.items() if count),
        "",
    ]
    if not total:
        return "\n".join([*lines[:1], "", "Nothing is outstanding: a run would change nothing."])
    if counted.expected_s is not None:
        lines += [
            f"As fast as the last runs, one worker takes {_duration(counted.expected_s)}.",
            "",
        ]
    if counted.one_call_each_usd is None:
        return "\n".join([*lines, "No judge takes part: it costs no money."])
    return "\n".join([*lines, *_money(counted, counted.one_call_each_usd)])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:,.0f} minutes" if seconds < 5400 else f"{seconds / 3600:,.1f} hours"


def _money(counted: Estimate, one_call_each_usd: float) -> list[str]:
    asked = ", ".join(f"{count:,} of {name}" for name, count in counted.questions.items())
    total = sum(counted.questions.values())
    lately = (
        "What they will cost is not known: this judge answered none of the kind in the last 30 "
        "days."
        if counted.expected_usd is None
        else f"At what such questions cost in the last 30 days they would be "
        f"{counted.expected_usd:.2f} USD; those whose answer is known cost nothing."
    )
    return [
        f"A run pays its judges at most its cap of {counted.cap_usd:.2f} USD and records the "
        f"rest as over budget. There are up to {total:,} questions ({asked}): a rubric over "
        "documents asks about each of the first few, which are not counted before they are "
        f"fetched. {lately}",
        "",
        f"One call for each, each as long as it may be, would be {one_call_each_usd:.2f} USD; a "
        "failed call is tried again. In batches (`--batch`), whose answers take up to a day, "
        f"they would be {one_call_each_usd * counted.batch_price_share:.2f} USD.",
    ]

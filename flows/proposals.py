"""When a new baseline is worth a thought: after clean days, or when outputs got better for good."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from alerts import wording
from alerts.improvement import improved_since
from alerts.incidents import monitors_of
from alerts.lines import Counts
from flows.baselines import Pinned
from flows.parts import Parts
from tailwatch.alert import ALL_TRAFFIC, Alert
from tailwatch.evaluation import Series
from tailwatch.printable import printable
from tailwatch.window import HOUR, Window, floor_hour

CLEAN = timedelta(days=7)

_NAME_CHARS = 80


def proposal(
    parts: Parts, pinned: Pinned, alerts: Sequence[Alert], now: datetime, monitors: int
) -> str | None:
    """Why to promote a series' baseline, in a sentence; None when there is no reason.

    Nothing is done by itself: a baseline that follows the outputs learns a slow regression as
    normal.
    """
    if now - pinned.end < CLEAN:
        return None
    since = _improvement(parts, pinned, now, monitors)
    if since is not None:
        return (
            f"{wording.subject(pinned.watched.series, ALL_TRAFFIC)} has been better than its "
            f"baseline since about {wording.moment(since)}: a worse time would now go unnoticed"
        )
    ended = [_end(alert, now) for alert in alerts if _about(alert, pinned)]
    quiet_since = max([pinned.end, *ended])
    if now - quiet_since < CLEAN:
        return None
    return f"{(now - quiet_since).days} days without an alert since {wording.moment(quiet_since)}"


def proposals(
    parts: Parts,
    pinned: Mapping[Series, Pinned],
    alerts: Sequence[Alert],
    now: datetime,
    monitors: int,
) -> list[str]:
    """A sentence for every series whose baseline is worth promoting; see `proposal`."""
    reasons = {s: proposal(parts, each, alerts, now, monitors) for s, each in pinned.items()}
    return [
        f"promote the baseline of {printable(str(series), _NAME_CHARS)}? {reason}"
        for series, reason in sorted(reasons.items())
        if reason is not None
    ]


def _about(alert: Alert, pinned: Pinned) -> bool:
    return any(monitor.series == pinned.watched.series for monitor in monitors_of(alert))


def _end(alert: Alert, now: datetime) -> datetime:
    return (alert.resolved_at or now) if alert.state.over else now


def _improvement(parts: Parts, pinned: Pinned, now: datetime, monitors: int) -> datetime | None:
    lines, key = pinned.family.lines(ALL_TRAFFIC), pinned.record.baseline_id
    window = Window(pinned.end, max(floor_hour(now), pinned.end + HOUR))
    counted = parts.store.tail_counts(parts.source.name, [key], window)
    place = {cell: row for row, cell in enumerate(pinned.family.cells(ALL_TRAFFIC))}
    starts = tuple(sorted(counted))
    both = np.zeros((2, len(starts), *lines.usual.shape))
    for hour, start in enumerate(starts):
        for _, count in counted[start]:
            if count.segment in place:
                both[0, hour, place[count.segment]] = count.bad
                both[1, hour, place[count.segment]] = count.n
    budget = pinned.watched.rule.budget(monitors, parts.plan.alerts.false_alarm_weeks)
    counts = Counts(starts=starts, bad=both[0], n=both[1])
    return improved_since(counts, lines, budget.alert_at, pinned.watched.rule.tolerance)

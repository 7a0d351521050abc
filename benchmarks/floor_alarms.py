"""How often the floor rule alarms for nothing, and how soon it sees something.

Seeded streams of pass/fail scores are checked every hour by the shipped rule and lifecycle, with
the default options (24 h pooled, at most 10 % bad, alpha 0.001). Run it with
`python -m benchmarks.floor_alarms [weeks]`; 100 weeks a row take about two minutes.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.lifecycle import Policy, advance
from alerts.rules.floor import floor
from tailwatch.alert import (
    ALL_TRAFFIC,
    Alert,
    AlertState,
    Direction,
    Finding,
    FindingStatus,
    ScoreSample,
)
from tailwatch.evaluation import Series
from tailwatch.window import Window

START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS_PER_WEEK = 168
RULE = floor("floor", {"line": 0.5})
HISTORY = int(RULE.history / timedelta(hours=1))


def main() -> None:
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print(f"false alarms: {weeks} quiet weeks a row, the tolerated share is 10 %")
    print("| outputs/h | hours vary | true share | checks in breach | alerts a week |")
    print("|---|---|---|---|---|")
    for n in (20, 100):
        for concentration in (None, 50.0):
            for share in (0.10, 0.09, 0.08, 0.05):
                breaches, alerts = quiet_weeks(n, share, concentration, weeks)
                print(
                    f"| {n} | {'yes' if concentration else 'no'} | {share:.0%} "
                    f"| {breaches:.2%} | {alerts:.3f} |"
                )
    print(f"\nhours to the alert, median and P90 of {weeks} incidents after 72 quiet hours at 5 %")
    print("| outputs/h | 5 to 15 % bad | 5 to 20 % | 5 to 30 % | 5 to 55 % |")
    print("|---|---|---|---|---|")
    for n in (20, 100):
        cells = []
        for share in (0.15, 0.2, 0.3, 0.55):
            delays = [delay(n, share, seed) for seed in range(weeks)]
            cells.append(f"{np.median(delays):.0f} / {np.quantile(delays, 0.9):.0f}")
        print(f"| {n} | {' | '.join(cells)} |")


def quiet_weeks(
    n: int, share: float, concentration: float | None, weeks: int
) -> tuple[float, float]:
    """The share of checks in breach and the alerts a week on one stream that never changes."""
    random = np.random.default_rng([n, round(100 * share), weeks])
    hours = HISTORY + weeks * HOURS_PER_WEEK
    if concentration is None:
        shares = np.full(hours, share)
    else:
        shares = random.beta(share * concentration, (1 - share) * concentration, size=hours)
    alert: Alert | None = None
    breaches = opened = 0
    for now, finding in checks(n, shares, random):
        breaches += finding.status is FindingStatus.BREACH
        after = advance(alert, finding, now, Policy())
        opened += sum(event.after is AlertState.OPEN for event in after.events)
        alert = after.alert
    return breaches / (weeks * HOURS_PER_WEEK), opened / weeks


def delay(n: int, share: float, seed: int) -> int:
    """Hours from the first bad hour to the alert, 1 when that very hour raises it."""
    random = np.random.default_rng([n, round(100 * share), seed])
    shares = np.concatenate([np.full(HISTORY, 0.05), np.full(HOURS_PER_WEEK, share)])
    for waited, (_, finding) in enumerate(checks(n, shares, random), 1):
        if finding.status is FindingStatus.BREACH:
            return waited
    return HOURS_PER_WEEK


def checks(
    n: int, shares: NDArray[np.float64], random: np.random.Generator
) -> Iterator[tuple[datetime, Finding]]:
    """The hourly findings once there is a full history, each with the time of its check."""
    bad = random.binomial(n, shares)
    samples = [
        ScoreSample(
            series=Series(evaluator="passed", version="1"),
            segment=ALL_TRAFFIC,
            window=Window.hour_of(START + timedelta(hours=hour)),
            values=[0.0] * count + [1.0] * (n - count),
        )
        for hour, count in enumerate(bad.tolist())
    ]
    for end in range(HISTORY + 1, len(samples) + 1):
        current = samples[end - HISTORY : end]
        now = current[-1].window.end
        yield now, RULE.check(current, (), Direction.HIGHER_IS_BETTER, now)


if __name__ == "__main__":
    main()

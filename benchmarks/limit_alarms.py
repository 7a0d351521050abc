"""How often a limit alarms on a series that is just at what it tolerates, and how soon it sees.

`python -m benchmarks.limit_alarms [WEEKS]`: so many quiet weeks a row (400), each with no evidence
from before, and a fourth as many breaches. Hours differ, where they do, as a beta distribution
with concentration 50 says, or as the logit of an AR(1) process (0.8, spread 0.4).
"""

import sys
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from alerts.limit_counts import LimitCounts
from alerts.rules.limit import Limit, limit
from tailwatch.alert import Direction
from tailwatch.window import HOUR

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
WEEK, BEFORE, FOLLOWED = 168, 120, 48
SHARE = 0.1
UP = Direction.HIGHER_IS_BETTER
Shares = NDArray[np.float64]


def main() -> None:
    """Prints false alerts a week, and median and P90 hours to the alert."""
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rule = limit("limit", {"line": 0.45})
    if not isinstance(rule, Limit):
        raise TypeError("the rule is no limit")
    print(f"{weeks} weeks a row; budget 0.25 false alerts a week for one monitor")
    for outputs in (10, 100):
        for kind in ("independent", "hours vary", "hours alike"):
            random = np.random.default_rng(7)
            alarms = sum(
                len(
                    rule.course(
                        _counted(random, _shares(random, kind, WEEK), outputs), UP
                    ).incidents
                )
                for _ in range(weeks)
            )
            delays = [
                _delays(rule, random, kind, outputs, further, weeks // 4)
                for further in (0.05, 0.1, 0.3)
            ]
            print(f"{outputs} an hour, {kind}: {alarms / weeks:.3f}; {'; '.join(delays)}")


def _delays(
    rule: Limit, random: np.random.Generator, kind: str, outputs: int, further: float, trials: int
) -> str:
    """Checked every hour, as the schedule does, from the breach on."""
    hours = []
    for _ in range(trials):
        shares = _shares(random, kind, BEFORE + FOLLOWED)
        shares[BEFORE:] += further
        counts = _counted(random, np.minimum(shares, 1), outputs)
        found = (
            checked - BEFORE
            for checked in range(BEFORE + 1, BEFORE + FOLLOWED + 1)
            if rule.is_beyond(counts.between(0, checked), UP)
        )
        hours.append(next(found, np.inf))
    said = [
        f"{h:.0f}" if np.isfinite(h) else f">{FOLLOWED}"
        for h in np.quantile(hours, (0.5, 0.9), method="lower")
    ]
    return f"+{100 * further:.0f} %: {'/'.join(said)} h"


def _shares(random: np.random.Generator, kind: str, hours: int) -> Shares:
    if kind == "independent":
        return np.full(hours, SHARE)
    if kind == "hours vary":
        return random.beta(50 * SHARE, 50 * (1 - SHARE), hours)
    around = np.zeros(hours)
    around[0] = random.normal(0, 0.4)
    for hour in range(1, hours):
        around[hour] = 0.8 * around[hour - 1] + random.normal(0, 0.4 * 0.6)
    odds = SHARE / (1 - SHARE) * np.exp(around - 0.4**2 / 2)
    return np.asarray(odds / (1 + odds), dtype=np.float64)


def _counted(random: np.random.Generator, shares: Shares, outputs: int) -> LimitCounts:
    hours = len(shares)
    nothing = np.zeros(hours, dtype=np.int_)
    return LimitCounts(
        starts=tuple(BEGIN + hour * HOUR for hour in range(hours)),
        bad=random.binomial(outputs, shares).astype(np.float64),
        n=np.full(hours, float(outputs)),
        scored=np.full(hours, outputs),
        skipped=nothing,
        failed=nothing,
        weighted=np.zeros(hours, dtype=np.bool_),
    )


if __name__ == "__main__":
    main()

"""The cost of tail evidence: monitors checked for an hour, and a month added up from nothing.

Run it as `python -m benchmarks.tail_check [MONITORS]`. Counts are random; what is timed is what an
hourly check does with them once they are read: arithmetic, thresholds and findings.
"""

import sys
import time
from datetime import UTC, datetime

import numpy as np

from alerts.detector import Bank, Detectors, advance
from alerts.family import Family, learn_family
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

START = datetime(2026, 1, 5, tzinfo=UTC)
OUTPUTS = 100
SEGMENTS = 9


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    random = np.random.default_rng(1)
    family = _family(random)
    segments = list(family.monitors)
    lines = [family.lines(segments[i % len(segments)]) for i in range(wanted)]
    began = time.perf_counter()
    bank = Bank.of(lines)
    built = time.perf_counter() - began
    state = Detectors.start(bank)
    n = np.where(bank.counted, OUTPUTS / SEGMENTS, 0.0).round()
    hours, took, alarms = 48, 0.0, 0
    for hour in range(hours):
        bad = random.binomial(n.astype(int), bank.usual).astype(np.float64)
        began = time.perf_counter()
        turn = advance(bank, state, hour, bad, n, 672.0 * wanted)
        took += time.perf_counter() - began
        alarms += len(turn.began)
    one = took / hours
    print(f"{wanted:,} monitors ({len(bank.owner):,} rows): prepared in {built:.2f} s")
    print(f"an hour: {1e3 * one:.0f} ms, {1e6 * one / wanted:.1f} us a monitor; {alarms} alarms")
    print(f"a month from nothing: {672 * one:.0f} s; from the kept state: {1e3 * one:.0f} ms")


def _family(random: np.random.Generator) -> Family:
    series = Series(evaluator="random", version="1")
    values = {
        Segment(field="feature", value=str(i)): random.random((168, OUTPUTS // SEGMENTS))
        for i in range(SEGMENTS)
    }
    values[ALL_TRAFFIC] = np.concatenate(list(values.values()), axis=1)
    baseline = {
        segment: [
            ScoreSample(
                series=series,
                segment=segment,
                window=Window(START + i * HOUR, START + (i + 1) * HOUR),
                values=row.tolist(),
            )
            for i, row in enumerate(rows)
        ]
        for segment, rows in values.items()
    }
    family = learn_family(baseline, Direction.HIGHER_IS_BETTER)
    if family is None:
        raise SystemExit("the baseline is too small")
    return family


if __name__ == "__main__":
    main()

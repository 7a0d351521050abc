"""What a look back costs with limits: hours counted once, beside all of them for every check.

`python -m benchmarks.limit_check [MONITORS]`: a week of checks of so many limits (50), each over
seven days of 100 outputs an hour.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from alerts.rules.limit import Limit, limit
from flows.limit_check import LimitCheck
from flows.limit_family import LimitFamily
from flows.parts import Parts, PlannedRule
from sources.files import FilesSource
from storage.store import Store, open_store
from tailwatch.alert import Direction, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.plan import EvaluatorPlan, Plan, RulePlan, SourcePlan
from tailwatch.window import HOUR, Window

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOURS, CHECKS, OUTPUTS = 168, 168, 100
DOWN = Direction.LOWER_IS_BETTER
LINE = {"line": 4000}


def main() -> None:
    """Prints the cost of a check of one monitor both ways, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        _measure(open_store(f"sqlite:///{folder}/empty.db"))


def _measure(store: Store) -> None:
    monitors = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    window = Window(BEGIN, BEGIN + (HOURS + CHECKS) * HOUR)
    moments = [BEGIN + (HOURS + i + 1) * HOUR for i in range(CHECKS)]
    rule = limit("limit", LINE)
    if not isinstance(rule, Limit):
        raise TypeError("the rule is no limit")
    parts = _parts(rule, store)
    (series,) = parts.directions
    samples = {series: {s: _hours(series, s, window) for s in _segments(monitors)}}
    joined = {(rule.name, series, segment): BEGIN for segment in samples[series]}
    family = LimitFamily(joined=joined, hours=sorted(joined.values()))

    began = time.perf_counter()
    check = LimitCheck(parts, samples, window, family, {})
    found = [check.at(moment, monitors, set()) for moment in moments]
    once = time.perf_counter() - began

    alone = next(iter(samples[series].values()))
    shared = rule.sharing(monitors, 4)
    began = time.perf_counter()
    for moment in moments:
        current = [alone[moment - (HOURS - i) * HOUR] for i in range(HOURS)]
        shared.check(current, (), DOWN, moment)
    again = (time.perf_counter() - began) * monitors

    each = 1e6 / (monitors * CHECKS)
    print(f"{CHECKS} checks of {monitors} limits, {sum(map(len, found))} findings")
    print(f"all hours counted for every check: {again * each:,.0f} us a monitor and check")
    print(f"hours counted once:                {once * each:,.0f} us a monitor and check")
    print(f"ratio: {again / once:.1f}")


def _parts(rule: Limit, store: Store) -> Parts:
    plan = RulePlan(use="limit", series=("latency_ms",), options=LINE)
    return Parts(
        plan=Plan(
            source=SourcePlan(use="memory", name="memory"),
            evaluators=(EvaluatorPlan(use="lexical_support"),),
            measures=("latency_ms",),
        ),
        source=FilesSource("memory", ["none.jsonl"]),
        evaluators=(),
        rules=(PlannedRule(rule=rule, plan=plan, segments=("feature",)),),
        judge=None,
        store=store,
    )


def _segments(count: int) -> list[Segment]:
    return [Segment(field="feature", value=f"f{number}") for number in range(count)]


def _hours(series: Series, segment: Segment, window: Window) -> dict[datetime, ScoreSample]:
    random = np.random.default_rng(int(segment.value[1:]))
    return {
        hour.start: ScoreSample(
            series=series,
            segment=segment,
            window=Window(hour.start, hour.start + timedelta(hours=1)),
            values=tuple(np.sort(np.where(random.random(OUTPUTS) < 0.05, 5000.0, 900.0)).tolist()),
        )
        for hour in window.hours()
    }


if __name__ == "__main__":
    main()

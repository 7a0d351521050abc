"""One hourly check of very many monitors through a store: wall, CPU and peak memory.

    python -m benchmarks.alert_monitors [--monitors 1000,10000] [--traces 500]

The monitors are evaluators x (all traffic + 199 values of four trace fields). Their baselines are
pinned in a SQLite store; then come hours of `--traces` traces that every evaluator scored, and
each is checked by `flows.checking.check_alerts`: the hour's scores read, counted in every monitor
and stored, evidence continued from the stored one, findings written. The first check starts the
evidence; the next ones are what an hour costs.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alerts.family_document import document_of
from alerts.summaries import summarize
from benchmarks.alert_store import SOURCE, evaluation, parts_over, record_account
from benchmarks.alert_streams import START, WEEK_HOURS
from benchmarks.alert_trials import RULE
from flows.checking import check_alerts
from storage.baselines import baseline_id
from storage.records import BaselineRecord
from storage.store import Store, open_store
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.trace import TraceRef
from tailwatch.window import HOUR, Window

FIELDS = {"feature": 50, "model": 50, "prompt_version": 50, "environment": 49}
MONITORS_EACH = 1 + sum(FIELDS.values())
CHECKS = 4
BASELINE_PER_HOUR = 72
PINNED_END = START + WEEK_HOURS * HOUR


def main() -> None:
    """Prints a row for each number of monitors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--monitors", default="1000,10000")
    parser.add_argument("--traces", type=int, default=500)
    asked = parser.parse_args()
    print(
        f"{'monitors':>9} {'scores/hour':>12} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} "
        f"{'monitors x hours/s':>19}"
    )
    for wanted in (int(text) for text in asked.monitors.split(",")):
        evaluators = max(1, wanted // MONITORS_EACH)
        monitors, wall, cpu = check_hours(evaluators, asked.traces)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{monitors:>9,} {evaluators * asked.traces:>12,} {wall:>8.2f} {cpu:>8.2f} "
            f"{peak:>8,.0f} {monitors / wall:>19,.0f}"
        )


def check_hours(evaluators: int, traces: int) -> tuple[int, float, float]:
    """How many monitors there were, and the median wall and CPU seconds of a check."""
    random = np.random.default_rng(3)
    series = [Series(evaluator=f"score{number:03d}", version="1") for number in range(evaluators)]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"sqlite:///{Path(folder) / 'store.db'}") as store,
    ):
        store.upgrade()
        parts = parts_over(store, series, tuple(FIELDS), max_segment_values=50)
        pin(store, series, random)
        took = []
        for hour in range(CHECKS):
            window = Window(PINNED_END + hour * HOUR, PINNED_END + (hour + 1) * HOUR)
            record_scores(store, series, window, traces, random)
            wall, cpu = time.perf_counter(), time.process_time()
            report = check_alerts(parts, [window.end])
            took.append((time.perf_counter() - wall, time.process_time() - cpu))
    walls, cpus = zip(*took[1:], strict=True)
    return report.monitors, float(np.median(walls)), float(np.median(cpus))


def pin(store: Store, series: list[Series], random: np.random.Generator) -> None:
    """Pins one learned family as the baseline of every series."""
    cells: dict[Segment, list[ScoreSample]] = {}
    for hour in range(WEEK_HOURS):
        window = Window(START + hour * HOUR, START + (hour + 1) * HOUR)
        for sample in _samples(series[0], window, list(_drawn(random, BASELINE_PER_HOUR)), random):
            cells.setdefault(sample.segment, []).append(sample)
    family = RULE.learn(cells, Direction.HIGHER_IS_BETTER)
    assert family is not None
    assert len(family.monitors) == MONITORS_EACH
    document = document_of(family)
    for each in series:
        store.record_baseline(
            SOURCE,
            BaselineRecord(
                baseline_id=baseline_id(SOURCE, each, "first"),
                series=each,
                status="pinned",
                start=START,
                end=PINNED_END,
                decided_at=PINNED_END,
                who="bench",
                why="a benchmark",
                document=document,
            ),
        )


def record_scores(
    store: Store, series: list[Series], window: Window, traces: int, random: np.random.Generator
) -> None:
    """An hour of traces that every evaluator scored."""
    refs = [
        TraceRef(
            source=SOURCE,
            trace_id=f"{window.start:%Y%m%d%H}-{number:06d}",
            start_time=window.start,
            feature=values["feature"],
            model=values["model"],
            prompt_version=values["prompt_version"],
            environment=values["environment"],
        )
        for number, values in enumerate(_drawn(random, traces))
    ]
    store.record_listing(refs, window.end)
    for each in series:
        scores = random.beta(8, 2, traces).tolist()
        store.record(
            [evaluation(ref, each, s, window) for ref, s in zip(refs, scores, strict=True)]
        )
        sample = ScoreSample(series=each, segment=ALL_TRAFFIC, window=window, values=scores)
        store.record_summaries(SOURCE, [summarize(sample, Direction.HIGHER_IS_BETTER)], window.end)
    record_account(store, window, traces)


def _drawn(random: np.random.Generator, traces: int) -> Iterator[dict[str, str]]:
    columns = {field: random.integers(0, n, traces) for field, n in FIELDS.items()}
    for number in range(traces):
        yield {field: f"v{columns[field][number]}" for field in FIELDS}


def _samples(
    series: Series, window: Window, traces: list[dict[str, str]], random: np.random.Generator
) -> Iterator[ScoreSample]:
    scores = random.beta(8, 2, len(traces)).tolist()
    by_segment: dict[Segment, list[float]] = {ALL_TRAFFIC: scores}
    for values, score in zip(traces, scores, strict=True):
        for field, value in values.items():
            by_segment.setdefault(Segment(field=field, value=value), []).append(score)
    for segment, found in by_segment.items():
        yield ScoreSample(series=series, segment=segment, window=window, values=sorted(found))


if __name__ == "__main__":
    main()

"""The same stream through a real store and the hourly check, and in memory: nothing may differ.

    python -m benchmarks.alert_store [Beta "5-level judge" "diurnal mix"]

A week of baseline and six days, of which three have a regression, go hour by hour into a SQLite
store, and every hour is checked by `flows.checking.check_alerts` as in production: baselines
settled, counts and evidence stored and read again. The evidence of every monitor after every hour
and every change of an incident must equal, to the last bit, what `alerts.simulation` computes from
the same outputs in memory. What `benchmarks.alert_rules` measures in memory is therefore true of
the whole path.
"""

import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from alerts.index import build_rule
from alerts.simulation import Hour, Life, counted, play
from alerts.summaries import summarize
from benchmarks.alert_streams import SERIES, START, STREAMS, WEEK_HOURS, Regression, hours
from benchmarks.alert_trials import MONITORS, RULE
from flows.checking import check_alerts, owed_checks
from flows.parts import Parts, PlannedEvaluator, PlannedRule
from storage.records import WindowRecord
from storage.store import Store, open_store
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Score
from tailwatch.plan import EvaluatorPlan, Plan, RulePlan, SourcePlan
from tailwatch.sampling import SampleDesign
from tailwatch.trace import TraceRef
from tailwatch.window import HOUR, Window
from tests.fakes import MemorySource, ScriptedEvaluator

SOURCE = "bench"
PER_HOUR = 50
AFTER = 6 * 24
REGRESSION = Regression(name="10 % for 72 h", share=0.10, lasts=72)
Evidence = dict[Segment, list[float]]


def main() -> None:
    """Prints how much was compared; stops with an AssertionError at a difference."""
    names = sys.argv[1:] or ("Beta", "5-level judge", "diurnal mix")
    for stream in (stream for stream in STREAMS if stream.name in names):
        made = list(
            hours(stream, PER_HOUR, np.random.default_rng(7), 0, WEEK_HOURS, REGRESSION, 10**9)
        )
        made += hours(stream, PER_HOUR, np.random.default_rng(8), WEEK_HOURS, AFTER, REGRESSION, 24)
        begun = time.perf_counter()
        evidence, stored_events = through_store(made)
        life = in_memory(made)
        for segment, values in life.evidence.items():
            assert evidence[segment] == values.tolist(), f"{stream.name}: {segment} differs"
        assert stored_events == told(life), f"{stream.name}: {stored_events} and {told(life)}"
        print(
            f"{stream.name}: {AFTER} hours of {len(life.evidence)} monitors equal to the last bit; "
            f"incidents equal: {', '.join(f'{what} after {at} h' for at, what in told(life))} "
            f"({time.perf_counter() - begun:.0f} s)"
        )


def in_memory(made: Sequence[Hour]) -> Life:
    """The life of the stream after its baseline, from arrays alone."""
    cells: dict[Segment, list[ScoreSample]] = {}
    for hour in made[:WEEK_HOURS]:
        for segment, sample in hour.items():
            cells.setdefault(segment, []).append(sample)
    family = RULE.learn(cells, Direction.HIGHER_IS_BETTER)
    assert family is not None
    assert len(family.monitors) == MONITORS
    return play([counted(SERIES, family, made[WEEK_HOURS:])], RULE.budget(MONITORS))[0]


def told(life: Life) -> list[tuple[int, str]]:
    """What people would have been told, with the hours since the baseline."""
    changes = [(at, "open") for at in (*life.opened, *life.reopened)]
    return sorted(changes + [(at, "resolved") for at in life.resolved])


def through_store(made: Sequence[Hour]) -> tuple[Evidence, list[tuple[int, str]]]:
    """The evidence of every monitor by hour and the changes of alerts, as the hourly check says."""
    evidence: Evidence = {}
    events = []
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"sqlite:///{Path(folder) / 'store.db'}") as store,
    ):
        store.upgrade()
        parts = parts_over(store, [SERIES], ("feature",))
        for number, hour in enumerate(made):
            record_hour(store, hour)
            after = number + 1 - WEEK_HOURS
            if after < 0:
                continue
            report = check_alerts(parts, owed_checks(store, SOURCE, START + (number + 1) * HOUR))
            for finding in report.findings if after else ():
                value = finding.numbers["evidence"]
                assert value is not None
                evidence.setdefault(finding.segment, []).append(float(value))
            events += [(after, e.after.value) for e in report.events if e.before != e.after]
    return evidence, events


def parts_over(
    store: Store, series: Iterable[Series], fields: tuple[str, ...], max_segment_values: int = 20
) -> Parts:
    """The parts of a plan with the tail-evidence rule on these series and segment fields."""
    rule = RulePlan(use="tail_evidence", segments=fields)
    return Parts(
        plan=Plan(
            source=SourcePlan(use="files", name=SOURCE),
            evaluators=(EvaluatorPlan(use="lexical_support"),),
            measures=(),
            segments=fields,
            rules=(rule,),
            max_segment_values=max_segment_values,
        ),
        source=MemorySource([], name=SOURCE),
        evaluators=tuple(
            PlannedEvaluator(evaluator=ScriptedEvaluator(name=s.evaluator), design=SampleDesign())
            for s in series
        ),
        rules=(PlannedRule(rule=build_rule(rule), plan=rule, segments=fields),),
        judge=None,
        store=store,
    )


def record_hour(store: Store, hour: Hour) -> None:
    """Writes an hour as an evaluation run does: traces, scores, summaries, the hour's account."""
    everything = hour[ALL_TRAFFIC]
    window = everything.window
    outputs = [
        (value, segment)
        for segment, sample in hour.items()
        if segment.field
        for value in sample.values
    ]
    refs = [
        TraceRef(
            source=SOURCE,
            trace_id=f"{window.start:%Y%m%d%H}-{number:06d}",
            start_time=window.start,
            feature=segment.value,
        )
        for number, (_, segment) in enumerate(outputs)
    ]
    store.record_listing(refs, window.end)
    store.record(
        [
            evaluation(ref, everything.series, value, window)
            for ref, (value, _) in zip(refs, outputs, strict=True)
        ]
    )
    summary = summarize(everything, Direction.HIGHER_IS_BETTER)
    store.record_summaries(SOURCE, [summary], window.end)
    record_account(store, window, len(refs))


def evaluation(ref: TraceRef, series: Series, value: float, window: Window) -> Evaluation:
    """A score of a trace that was certain to be sampled."""
    return Evaluation(
        source=SOURCE,
        trace_id=ref.trace_id,
        series=series,
        outcome=Score(value=value),
        window=window,
        inclusion_probability=1.0,
        run_id="bench",
        evaluated_at=window.end,
    )


def record_account(store: Store, window: Window, traces: int) -> None:
    """Says that the hour is done."""
    store.finish_window(
        WindowRecord(
            source=SOURCE,
            window=window,
            status="done",
            listed=traces,
            scored=traces,
            failed=0,
            late=0,
            run_id="bench",
            evaluated_at=window.end,
        )
    )


if __name__ == "__main__":
    main()

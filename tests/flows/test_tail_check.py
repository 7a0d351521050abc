"""Tail evidence over a store: learned once, counted once, and the same however it came about."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.index import build_rule
from flows.baselines import promote, read_baselines, reset, settle_baselines
from flows.checking import check_alerts, owed_checks
from flows.parts import Parts, PlannedRule
from flows.runs import run_windows
from flows.tail_check import TailCheck
from flows.tail_counting import count_tails
from storage.alert_tables import TAIL_COUNTS, TAIL_HOURS, TAIL_STATES
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, AlertState, FindingStatus, Segment
from tailwatch.evaluation import Series
from tailwatch.outcome import Score
from tailwatch.plan import RulePlan
from tailwatch.sampling import position
from tailwatch.trace import Trace
from tailwatch.window import HOUR, Window
from tests.builders import START, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

SERIES = Series(evaluator="scripted", version="1")
SEARCH = Segment(field="feature", value="search")
DAY = timedelta(days=1)
LEARNED = START + 2 * DAY
BREAKS = START + 3 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def tail_rule(**options: object) -> PlannedRule:
    plan = RulePlan(
        use="tail_evidence",
        series=("scripted",),
        options={"days": 2, "min_scored": 400} | options,
    )
    return PlannedRule(rule=build_rule(plan), plan=plan, segments=("feature",))


def verdict(trace: Trace) -> Score:
    """One answer in twenty is bad; of the feature search every second one, from BREAKS on."""
    chance = position(trace.trace_id, "verdict")
    broken = trace.feature == "search" and BREAKS <= trace.start_time < BREAKS + DAY
    return Score(value=0.1 if chance < (0.5 if broken else 0.05) else 0.5 + chance / 2)


def trace(number: int) -> Trace:
    """Twenty an hour, in turn of search and setup."""
    return make_trace(
        source="memory",
        trace_id=f"t{number}",
        start_time=START + number * timedelta(minutes=3),
        feature="search" if number % 2 == 0 else "setup",
    )


def parts_over(store: Store, hours: int, **options: object) -> Parts:
    return make_parts(
        store,
        MemorySource([trace(n) for n in range(20 * hours)], page_size=1000),
        ScriptedEvaluator(verdict=verdict),
        rules=[tail_rule(**options)],
        segments=("feature",),
    )


def evaluate(parts: Parts, *hours: int, run: str = "r") -> None:
    windows = [Window(START + h * HOUR, START + (h + 1) * HOUR) for h in hours]
    clock = SteppingClock(START + 30 * DAY + timedelta(seconds=len(run) + sum(hours)))
    asyncio.run(run_windows(parts, windows, kind="backfill", run_id=run, clock=clock))


def evaluated(store: Store, hours: int, **options: object) -> Parts:
    parts = parts_over(store, hours, **options)
    evaluate(parts, *range(hours))
    return parts


def check(parts: Parts, hours: int) -> None:
    moments = owed_checks(parts.store, "memory", START + hours * HOUR)
    check_alerts(parts, moments)


def test_a_regression_is_one_incident_with_onset_segment_and_sentence(store: Store) -> None:
    check(evaluated(store, 96 + 24), 96)

    (alert,) = store.unresolved_alerts("memory")
    assert alert.segment == SEARCH
    assert alert.onset == BREAKS
    assert alert.opened_at <= BREAKS + 4 * HOUR
    assert "scripted in feature=search regressed since about Thu 5 Mar 10:00 UTC" in alert.sentence
    assert {m.segment for m in alert.monitors} == {SEARCH, ALL_TRAFFIC}


def test_it_is_resolved_soon_after_the_recovery(store: Store) -> None:
    parts = evaluated(store, 120)
    check(parts, 120)

    (alert,) = store.alerts(source="memory")
    assert alert.state is AlertState.RESOLVED
    assert alert.resolved_at is not None
    assert BREAKS + DAY < alert.resolved_at <= BREAKS + DAY + 12 * HOUR


def test_until_the_baseline_is_complete_it_says_how_far_it_is(store: Store) -> None:
    parts = evaluated(store, 49)
    report = check_alerts(parts, owed_checks(store, "memory", START + 30 * HOUR))
    (finding,) = report.findings
    assert finding.status is FindingStatus.LEARNING
    assert "learning: 600 of 400 scored outputs, 1 of 2 days" in finding.sentence

    report = check_alerts(parts, owed_checks(store, "memory", START + 49 * HOUR))
    assert report.monitors == 3
    assert {f.status for f in report.findings} == {FindingStatus.OK}
    (pinned,) = read_baselines(parts).pinned.values()
    assert (pinned.record.start, pinned.record.end) == (START, LEARNED)


def test_hour_by_hour_or_all_at_once_is_the_same(store: Store, tmp_path: Path) -> None:
    check(evaluated(store, 100), 100)
    (tmp_path / "second").mkdir()
    with migrated_store(tmp_path / "second") as other:
        parts = parts_over(other, 100)
        for hour in range(100):
            evaluate(parts, hour)
            check(parts, hour + 1)
        assert other.alerts(source="memory") == store.alerts(source="memory")
        assert counts_of(other) == counts_of(store)


Rows = list[tuple[object, ...]]


def counts_of(store: Store) -> Rows:
    with store.database.read() as connection:
        return sorted(tuple(row) for row in connection.execute(TAIL_COUNTS.select()))


def forget_counts(store: Store) -> None:
    with store.database.write() as connection:
        for table in (TAIL_COUNTS, TAIL_HOURS, TAIL_STATES):
            connection.execute(table.delete())


def evidence_of(parts: Parts, until: datetime) -> list[float | int | None]:
    tail = TailCheck(parts, [until], {})
    findings = tail.at(until)
    tail.keep()
    return [finding.numbers["evidence"] for finding in findings]


@settings(deadline=None, max_examples=4)
@given(st.data())
def test_late_traces_reruns_and_backfills_leave_what_counting_from_scratch_gives(
    data: st.DataObject,
) -> None:
    """Hours come in any order, some with traces missing that a later run finds; checks between."""
    hours, learned = 60, 48
    with tempfile.TemporaryDirectory() as folder, migrated_store(Path(folder)) as store:
        parts = evaluated(store, hours)
        settle_baselines(parts, [START + learned * HOUR])
        late = data.draw(st.sets(st.integers(20 * learned, 20 * hours - 1), max_size=40))
        source = MemorySource(
            [trace(n) for n in range(20 * hours) if n not in late], page_size=1000
        )
        order = data.draw(st.permutations(range(learned, hours)))
        store_again(store, learned)
        for step, hour in enumerate(order):
            evaluate(replace(parts, source=source), hour, run=f"first {step}")
            if data.draw(st.booleans()):
                evidence_of(parts, START + (hour + 1) * HOUR)
        for step, hour in enumerate(data.draw(st.permutations(range(learned, hours)))):
            evaluate(parts, hour, run=f"again {step}")
            if data.draw(st.booleans()):
                evidence_of(parts, START + (hour + 1) * HOUR)
        end = START + hours * HOUR
        evidence, counts = evidence_of(parts, end), counts_of(store)

        forget_counts(store)
        assert evidence_of(parts, end) == evidence
        assert counts_of(store) == counts
        assert len(counts) == (hours - learned) * 3 * 4


def store_again(store: Store, learned: int) -> None:
    """Forgets what was evaluated after the baseline."""
    from_hour = START + learned * HOUR
    with store.database.write() as connection:
        for name in ("evaluations", "summaries", "coverage", "windows", "traces"):
            table = TAIL_COUNTS.metadata.tables[name]
            connection.execute(table.delete().where(table.c.hour >= from_hour))


def test_counting_again_counts_nothing(store: Store) -> None:
    parts = evaluated(store, 60)
    pinned = settle_baselines(parts, [START + 48 * HOUR]).pinned
    assert count_tails(parts, pinned, START + 60 * HOUR) == 12
    assert count_tails(parts, pinned, START + 60 * HOUR) == 0


def test_the_evidence_of_a_monitor_begins_again_when_a_person_ends_it(store: Store) -> None:
    parts = evaluated(store, 84)
    check(parts, 84)
    until = START + 84 * HOUR
    key = ("tail_evidence", SERIES, SEARCH)
    broken = {f.segment for f in TailCheck(parts, [until], {}).at(until) if f.onset}
    assert SEARCH in broken
    after = TailCheck(parts, [until], {key: [until - HOUR]}).at(until)
    (search,) = [f for f in after if f.segment == SEARCH]
    assert search.onset is None


def test_promoting_learns_the_new_normal_and_keeps_who_and_why(store: Store) -> None:
    parts = evaluated(store, 96)
    check(parts, 96)
    assert store.unresolved_alerts("memory")
    done = promote(
        parts, SERIES, START + 96 * HOUR, 1, who="ada", why="v3 accepted", now=START + 96 * HOUR
    )
    assert (done.record.who, done.record.why) == ("ada", "v3 accepted")
    statuses = [b.status for b in store.baselines("memory", everything=True)]
    assert sorted(statuses) == ["pinned", "superseded"]
    assert np.isclose(done.family.monitors[SEARCH].usual[0, 3], 0.25, atol=0.3)


def test_resetting_learns_again(store: Store) -> None:
    parts = evaluated(store, 96)
    check(parts, 60)
    reset(parts, SERIES, START + 60 * HOUR, who="ada", why="new rubric", now=START + 60 * HOUR)
    assert not read_baselines(parts).pinned
    report = check_alerts(parts, owed_checks(store, "memory", START + 96 * HOUR))
    assert [f.status for f in report.findings] == [FindingStatus.LEARNING]


def test_an_alert_of_a_series_that_left_the_plan_is_resolved_with_the_reason(store: Store) -> None:
    parts = evaluated(store, 96)
    check(parts, 90)
    assert store.unresolved_alerts("memory")
    check(replace(parts, evaluators=()), 91)
    (alert,) = store.alerts(source="memory")
    assert alert.state is AlertState.RESOLVED
    last = store.alert_events(alert.alert_id)[-1]
    assert last.who == "tailwatch"
    assert "the plan does not watch scripted in feature=search any more" in last.why

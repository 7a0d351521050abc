"""The alert check over stored scores: which hours, which monitors, one alert for an incident."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from alerts.index import build_rule
from alerts.lifecycle import resolve
from flows.acting import act_on
from flows.checking import check_alerts, owed_checks
from flows.parts import Parts, PlannedRule
from flows.runs import run_windows
from flows.tail_check import TailCheck
from storage.alert_tables import TAIL_STATES
from storage.store import Store
from tailwatch.alert import AlertState, FindingStatus, Segment
from tailwatch.outcome import Score
from tailwatch.plan import RulePlan
from tailwatch.trace import Trace
from tailwatch.window import HOUR, Window
from tests.builders import START, make_trace
from tests.fakes import MemorySource, ScriptedEvaluator, SteppingClock
from tests.flows.parts import make_parts, migrated_store

DAYS = 3
END = START + timedelta(days=DAYS)
BREAKS = START + timedelta(days=2)
SEARCH = Segment(field="feature", value="search")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def floor_rule(**plan: object) -> PlannedRule:
    rule = RulePlan.model_validate(
        {"use": "floor", "series": ("scripted",), "options": {"line": 0.5}} | plan
    )
    return PlannedRule(rule=build_rule(rule), plan=rule, segments=rule.segments or ())


def broken_search(trace: Trace) -> Score:
    """From BREAKS on, every other answer of the feature search is bad."""
    number = int(trace.trace_id.removeprefix("t"))
    bad = trace.feature == "search" and trace.start_time >= BREAKS and number % 4 == 0
    return Score(value=0.1 if bad else 0.9)


def evaluated(store: Store, *rules: PlannedRule) -> Parts:
    traces = [
        make_trace(
            source="memory",
            trace_id=f"t{i}",
            start_time=START + i * timedelta(minutes=6),
            feature="search" if i % 2 == 0 else "setup",
        )
        for i in range(DAYS * 240)
    ]
    parts = make_parts(
        store,
        MemorySource(traces, page_size=1000),
        ScriptedEvaluator(verdict=broken_search),
        rules=rules,
        segments=("feature",),
    )
    windows = list(Window(START, END).hours())
    clock = SteppingClock(END + timedelta(hours=3))
    asyncio.run(run_windows(parts, windows, kind="backfill", run_id="r", clock=clock))
    return parts


def limit_rule() -> PlannedRule:
    return floor_rule(use="limit", segments=("feature",))


def moments(store: Store, until: datetime = END) -> list[datetime]:
    return owed_checks(store, "memory", until)


def test_an_incident_is_one_alert_of_its_segment_with_its_onset(store: Store) -> None:
    parts = evaluated(store, floor_rule(segments=("feature",)))

    check_alerts(parts, moments(store))

    alerts = store.unresolved_alerts("memory")
    by_segment = {alert.segment: alert for alert in alerts}
    search = by_segment[SEARCH]
    assert Segment(field="feature", value="setup") not in by_segment
    assert abs(search.onset - BREAKS) <= 2 * HOUR
    assert len(store.alert_events(search.alert_id)) == 1


def test_a_limit_is_watched_in_every_segment_on_one_budget(store: Store) -> None:
    check_alerts(evaluated(store, limit_rule()), moments(store))

    (alert,) = store.unresolved_alerts("memory")
    assert alert.segment == SEARCH
    assert abs(alert.onset - BREAKS) <= 2 * HOUR
    assert alert.opened_at - BREAKS <= 6 * HOUR
    assert alert.numbers["monitors"] == 3


def test_limits_and_tail_evidence_share_one_budget(store: Store) -> None:
    """Three monitors of each: all traffic and the two features. The limit joins on the third day,
    and every hour's threshold is that of a computation from scratch.
    """
    tail = floor_rule(
        use="tail_evidence", segments=("feature",), options={"days": 1, "min_scored": 200}
    )
    alone = evaluated(store, tail)
    assert check_alerts(alone, moments(store, BREAKS)).monitors == 3
    both = replace(alone, rules=(tail, limit_rule()))
    end = BREAKS + 5 * HOUR

    report = check_alerts(both, moments(store, end))

    assert report.monitors == 6
    assert {(f.rule, f.segment.value) for f in report.findings} == {
        (rule, value) for rule in ("limit", "tail_evidence") for value in ("", "search", "setup")
    }
    assert {f.numbers["alert_at"] for f in report.findings} == {6 * 672}
    assert all("over 6 monitors" in f.sentence for f in report.findings)
    with store.database.write() as connection:
        connection.execute(TAIL_STATES.delete())
    scratch = TailCheck(both, [end], {}).at(end)
    kept = [f.numbers for f in report.findings if f.rule == "tail_evidence"]
    assert kept == [f.numbers for f in scratch]


def test_what_was_before_a_person_ended_it_does_not_count_against_a_limit(store: Store) -> None:
    parts = evaluated(store, limit_rule())
    early = BREAKS + 8 * HOUR
    check_alerts(parts, moments(store, early))
    (alert,) = store.unresolved_alerts("memory")
    act_on(parts, alert.alert_id, partial(resolve, now=early, who="me", why="fixed"), early)

    report = check_alerts(parts, moments(store, early + HOUR))

    about = {finding.segment: finding for finding in report.findings}
    assert about[SEARCH].status is FindingStatus.NO_DATA
    assert about[Segment(field="feature", value="setup")].status is FindingStatus.OK


@pytest.mark.parametrize("use", ["floor", "limit"])
def test_checking_hour_by_hour_or_all_at_once_is_the_same(
    store: Store, tmp_path: Path, use: str
) -> None:
    rule = floor_rule(use=use, segments=("feature",))
    check_alerts(evaluated(store, rule), moments(store))
    (tmp_path / "second").mkdir()
    with migrated_store(tmp_path / "second") as other:
        parts = evaluated(other, rule)
        for hour in range(1, DAYS * 24 + 1):
            check_alerts(parts, moments(other, START + hour * HOUR))

        assert other.unresolved_alerts("memory") == store.unresolved_alerts("memory")


def test_a_check_of_hours_already_checked_is_not_owed(store: Store) -> None:
    parts = evaluated(store, floor_rule())
    check_alerts(parts, moments(store))

    assert moments(store) == []
    assert moments(store, END + 2 * HOUR) == [END + HOUR, END + 2 * HOUR]


def test_an_incident_that_ends_is_resolved(store: Store) -> None:
    parts = evaluated(store, floor_rule(segments=("feature",)))
    check_alerts(parts, moments(store))
    healthy = [
        make_trace(
            source="memory",
            trace_id=f"t{100_000 + 2 * i + 1}",
            start_time=END + i * timedelta(minutes=1),
            feature="search",
        )
        for i in range(60 * 48)
    ]
    parts = make_parts(
        store,
        MemorySource(healthy, page_size=10_000),
        ScriptedEvaluator(verdict=broken_search),
        rules=parts.rules,
        segments=("feature",),
    )
    later = END + timedelta(days=2)
    clock = SteppingClock(later + timedelta(hours=3))
    windows = list(Window(END, later).hours())
    asyncio.run(run_windows(parts, windows, kind="hourly", run_id="r2", clock=clock))

    check_alerts(parts, moments(store, later))

    assert store.unresolved_alerts("memory") == []
    resolved = store.alerts({AlertState.RESOLVED}, source="memory")
    assert resolved
    assert [e.after for e in store.alert_events(resolved[0].alert_id)] == [
        AlertState.OPEN,
        AlertState.RESOLVED,
    ]


def test_nothing_is_owed_before_anything_was_evaluated(store: Store) -> None:
    assert moments(store) == []

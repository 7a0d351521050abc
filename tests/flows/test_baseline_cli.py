"""What people see of baselines, and the deploys beside an alert."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.bridge import bridge
from flows.baselines import read_baselines
from flows.checking import check_alerts, owed_checks
from flows.cli.baseline import _show
from flows.marks import marks, marks_near
from flows.notes import check_note
from flows.proposals import proposal
from storage.review_records import BridgeRecord
from storage.store import Store
from tailwatch.alert import Direction, Segment
from tailwatch.window import HOUR, Window
from tests.builders import START, make_ref
from tests.flows.parts import migrated_store
from tests.flows.test_tail_check import SERIES, evaluated


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def test_it_shows_the_family_the_budget_and_the_decision(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = evaluated(store, 50)
    check_alerts(parts, owed_checks(store, "memory", START + 50 * HOUR))
    _show(parts, ["scripted"], lines=True, history=False, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "3 monitors share the budget: alert at 2,016 (budget: one false alert in 4 weeks" in said
    assert "pinned Wed 4 Mar 10:00 UTC by tailwatch (2 days with 960 scored outputs)" in said
    assert "3 monitors: all traffic (960 outputs) and 2 segments" in said
    assert "feature=search: 0.1: " in said


def test_until_something_is_pinned_it_names_no_threshold(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = evaluated(store, 10)
    check_alerts(parts, owed_checks(store, "memory", START + 10 * HOUR))
    _show(parts, ["scripted"], lines=False, history=False, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("No baseline is pinned yet, so nothing is compared with one.")
    assert "learning: 200 of 400 scored outputs" in said
    assert "alert at" not in said


def test_a_series_that_is_still_learning_shows_the_bridge_from_the_one_before(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = evaluated(store, 10)
    check_alerts(parts, owed_checks(store, "memory", START + 10 * HOUR))
    old = replace(SERIES, version="0")
    for number, (before, after) in enumerate([(0.8, 0.9), (0.8, 0.7)]):
        found = bridge([before] * 40, [after] * 40, Direction.HIGHER_IS_BETTER, 0.5)
        record = BridgeRecord(
            bridge_id=str(number),
            old=old,
            new=SERIES,
            window=Window(START, START + HOUR),
            at=START + number * HOUR,
            who="ann",
            comparison=found.document(),
        )
        store.record_bridge("memory", record)
    _show(parts, ["scripted"], lines=False, history=False, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert f"bridge from {old}: on 40 outputs the mean moved by -0.1" in said
    assert "P10 from 0.8 to 0.7" in said
    assert said.count("bridge from") == 1  # the newest alone
    check_alerts(evaluated(store, 50), owed_checks(store, "memory", START + 50 * HOUR))
    _show(parts, ["scripted"], lines=False, history=False, as_json=False)
    pinned = " ".join(capsys.readouterr().out.split())
    assert "pinned" in pinned
    assert "bridge from" not in pinned


def test_a_new_baseline_is_proposed_after_clean_days_and_not_before(store: Store) -> None:
    parts = evaluated(store, 50)
    check_alerts(parts, owed_checks(store, "memory", START + 50 * HOUR))
    pinned = read_baselines(parts).pinned[SERIES]
    week = pinned.end + timedelta(days=7)
    assert proposal(parts, pinned, (), week - HOUR, 3) is None
    assert "7 days without an alert since" in (proposal(parts, pinned, (), week, 3) or "")


def test_the_first_check_of_a_day_proposes_and_its_note_shows_it(store: Store) -> None:
    """Learned on Wed 4 Mar 10:00, and checked without news until the clean days are over."""
    parts = evaluated(store, 50)
    check_alerts(parts, owed_checks(store, "memory", START + 50 * HOUR))
    early = check_alerts(parts, owed_checks(store, "memory", START + 8 * 24 * HOUR))
    assert early.proposals == []
    midday = check_alerts(parts, owed_checks(store, "memory", START + (9 * 24 + 2) * HOUR))
    assert midday.proposals != []
    again = check_alerts(parts, owed_checks(store, "memory", START + (9 * 24 + 3) * HOUR))
    assert again.proposals == []
    (said,) = midday.proposals
    assert said.startswith("promote the baseline of scripted v1? 7 days without an alert since")
    assert f"- `{said}`" in check_note(midday, ())


def test_a_deploy_near_the_onset_is_a_mark_of_the_alert(store: Store) -> None:
    parts = evaluated(store, 96)
    check_alerts(parts, owed_checks(store, "memory", START + 90 * HOUR))
    (alert,) = store.unresolved_alerts("memory")
    assert marks(parts) == []
    for hours, version in ((2, "2"), (71, "3"), (80, "4")):
        ref = make_ref(
            source="memory",
            trace_id=f"d{version}",
            start_time=START + hours * HOUR,
            prompt_version=version,
        )
        store.record_listing([ref], START)
    (mark,) = marks_near(parts, alert)
    assert mark.segment == Segment(field="prompt_version", value="3")
    assert str(mark) == "prompt_version=3 first seen Thu 5 Mar 09:00 UTC"

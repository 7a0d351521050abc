"""What the rules would do: rehearsed over stored hours, and on streams drawn from a baseline."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from alerts.index import build_rule
from alerts.resampling import Turned
from flows.baselines import read_baselines
from flows.checking import check_alerts, owed_checks
from flows.cli.alerts import app as alerts_app
from flows.cli.context import CommandContext
from flows.cli.simulate import parsed_regressions, parsed_volumes
from flows.cli.simulated import say_expectations, say_history
from flows.parts import Parts, PlannedRule
from flows.rehearsal import rehearse
from flows.simulating import Simulation, outputs_of, simulated, simulated_series
from storage.store import Store
from tailwatch.alert import Segment
from tailwatch.errors import ConfigurationError
from tailwatch.plan import RulePlan
from tailwatch.window import HOUR
from tests.builders import START
from tests.flows.parts import migrated_store
from tests.flows.test_tail_check import SERIES, evaluated

SEARCH = Segment(field="feature", value="search")
LITTLE = Simulation(
    regressions=(Turned(share=0.3), Turned(share=0.6, segment=SEARCH)), weeks=1, trials=2
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with migrated_store(tmp_path) as opened:
        yield opened


def pinned(store: Store) -> Parts:
    """Two days of quiet outputs with their baseline."""
    parts = evaluated(store, 50)
    check_alerts(parts, owed_checks(store, "memory", START + 50 * HOUR))
    return parts


def test_a_rehearsal_finds_what_the_checks_find_and_records_nothing(
    store: Store,
) -> None:
    parts = evaluated(store, 96)
    before = store.stats()

    rehearsed = rehearse(parts)

    assert store.stats() == before
    check_alerts(parts, owed_checks(store, "memory", START + 96 * HOUR))
    found = store.alerts(limit=None, source="memory")
    assert found
    assert [(a.alert_id, a.onset, a.state) for a in rehearsed.alerts] == [
        (a.alert_id, a.onset, a.state) for a in found
    ]
    assert rehearsed.opened == len(found)


def test_nothing_stored_is_nothing_to_rehearse(store: Store) -> None:
    parts = evaluated(store, 0)

    with pytest.raises(ConfigurationError, match="no hour of the source 'memory' is evaluated"):
        rehearse(parts)


def test_the_outputs_are_those_of_the_baseline_with_their_segments(store: Store) -> None:
    parts = pinned(store)
    baseline = read_baselines(parts).pinned[SERIES]

    outputs = outputs_of(parts, baseline)

    assert len(outputs.scores) == 960
    assert outputs.days == 2
    assert set(np.unique(outputs.values.astype(str))) == {
        s.value for s in baseline.family.monitors if s.field
    }


def test_it_says_how_often_it_would_alarm_and_how_soon(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = pinned(store)

    found = simulated(parts, [], LITTLE)

    (only,) = found
    assert only.found is not None
    assert only.found.weeks == 2
    assert all(delay.quantile(0.9) is not None for delay in only.found.delays)
    say_expectations(parts, LITTLE, found, as_json=True)
    (record,) = json.loads(capsys.readouterr().out)
    assert record["evaluator"] == SERIES.evaluator
    assert [r["segment_value"] for r in record["regressions"]] == ["", "search"]
    say_expectations(parts, LITTLE, found, as_json=False)
    assert "30 % of all traffic bad" in " ".join(capsys.readouterr().out.split())


def test_a_segment_that_no_baseline_has_is_refused(store: Store) -> None:
    asked = replace(
        LITTLE, regressions=(Turned(share=0.1, segment=replace(SEARCH, value="serach")),)
    )

    with pytest.raises(ConfigurationError, match="no feature=serach; known: feature=search"):
        simulated(pinned(store), [], asked)


def test_a_project_that_still_learns_is_told_how_far_it_is(store: Store) -> None:
    parts = evaluated(store, 10)
    check_alerts(parts, owed_checks(store, "memory", START + 10 * HOUR))

    with pytest.raises(ConfigurationError, match="learning: 200 of"):
        simulated(parts, [], LITTLE)


def rule_of(**plan: object) -> PlannedRule:
    read = RulePlan.model_validate({"series": ("scripted",)} | plan)
    return PlannedRule(rule=build_rule(read), plan=read, segments=("feature",))


def test_every_rule_is_rehearsed_and_the_limits_share_the_budget_of_streams(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The regression is seen by the tail rule and by a strict limit, as one incident."""
    limit = rule_of(use="limit", options={"line": 0.4, "share": 0.2})
    tail_alone = evaluated(store, 96)
    parts = replace(tail_alone, rules=(*tail_alone.rules, limit, rule_of(use="coverage")))
    monkeypatch.setenv("COLUMNS", "60")

    say_history(parts, rehearse(parts), as_json=False)

    said = " ".join(capsys.readouterr().out.split())
    assert "1 alert opened, 0 came back" in said
    assert "6 monitors share the budget" in said
    assert "each rule takes part: tail_evidence 1, limit 1, coverage 0." in said
    check_alerts(parts, owed_checks(store, "memory", START + 60 * HOUR))
    (pinned,), monitors = simulated_series(parts, ["scripted"])
    assert (pinned.watched.series, monitors) == (SERIES, 6)
    say_expectations(parts, LITTLE, [], as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "The others of the plan (limit, coverage) are tried on the stored hours" in said
    with pytest.raises(ConfigurationError, match="neither an evaluator nor a measure"):
        simulated_series(parts, ["scribbled"])
    with pytest.raises(ConfigurationError, match="the plan has no tail_evidence rule"):
        simulated_series(replace(parts, rules=(limit,)), [])


def test_the_stored_hours_have_no_use_for_regressions() -> None:
    asked = ["simulate", "--history", "--regression", "5%", "ndcg@10", "--seed", "3"]
    said = (
        CliRunner()
        .invoke(alerts_app, asked, obj=CommandContext.from_environment(plan=None, demo=True))
        .exception
    )
    assert isinstance(said, ConfigurationError)
    assert "leave out SERIES, --regression, --seed" in str(said)


@pytest.mark.parametrize(
    ("shares", "segments"),
    [(["5"], []), (["0%"], []), (["101%"], []), ([], ["search:5%"]), ([], ["feature=search"])],
)
def test_a_regression_that_cannot_be_read_is_refused(
    shares: list[str], segments: list[str]
) -> None:
    with pytest.raises(ConfigurationError, match="as in"):
        parsed_regressions(shares, segments)


def test_regressions_and_volumes_as_people_write_them() -> None:
    assert parsed_regressions(["5%"], ["feature=a:b=c:30 %"]) == (
        Turned(share=0.05),
        Turned(share=0.3, segment=Segment(field="feature", value="a:b=c")),
    )
    assert parsed_regressions([], []) == (Turned(share=0.05), Turned(share=0.1))
    assert parsed_volumes("50, 100") == (50, 100)
    assert parsed_volumes(None) == (None,)
    with pytest.raises(ConfigurationError, match="--per-hour is '5x'"):
        parsed_volumes("5x")

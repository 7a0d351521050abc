"""The demo, as a newcomer runs it: it names the planted incidents, and no other."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.cli.context import DEMO_PLAN
from flows.cli.main import main
from flows.plan_file import read_plan
from storage.store import open_store
from tailwatch.alert import AlertState, Segment

PLANTED = {
    ("lexical_support", "prompt_version", "v3"): datetime(2026, 11, 11, 8, tzinfo=UTC),
    ("ndcg@10", "feature", "api-reference"): datetime(2026, 11, 12, 9, tzinfo=UTC),
    ("cost_usd", "model", "marten-large"): datetime(2026, 11, 10, 14, tzinfo=UTC),
}
"""What datasets/README.md says is wrong in the data and a rule of the demo's plan can see."""


@pytest.mark.timeout(900)
def test_the_demo_finds_what_was_planted_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TAILWATCH_JUDGE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAILWATCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tailwatch", "demo"])

    with pytest.raises(SystemExit) as stopped:
        main()

    printed = capsys.readouterr().out
    assert stopped.value.code == 0, printed
    source = read_plan(DEMO_PLAN).plan.source.name
    with open_store(f"sqlite:///{tmp_path / 'demo.db'}") as store:
        alerts = store.alerts(limit=None, source=source)
    assert len(alerts) == len(PLANTED), [alert.sentence for alert in alerts]
    for (evaluator, field, value), onset in PLANTED.items():
        (alert,) = (a for a in alerts if a.segment == Segment(field=field, value=value))
        assert alert.state is AlertState.OPEN
        assert evaluator in {monitor.series.evaluator for monitor in alert.monitors}
        assert abs(alert.onset - onset) <= timedelta(hours=2), alert.sentence
    assert "not_configured" in printed
    assert "lexical_support in prompt_version=v3" in printed
    assert "alerts show" in printed

"""What `tailwatch spend` says, and what it counts."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.cli.main import main
from storage.records import RunRecord
from storage.store import open_store
from tailwatch.judge_calls import Caps, JudgeCall, ReusedVerdicts, SettledCall
from tailwatch.outcome import Usage

NOW = datetime.now(UTC)
LAST_WEEK = NOW - timedelta(days=6)
PLAN = """\
source: {use: files, name: mine, options: {path: traces.jsonl}}
evaluators: [{use: faithfulness}]
judge: {model: small, max_cost_usd: 2.0, max_cost_usd_per_day: 5.0}
"""


def call(call_id: str, at: datetime = NOW, run_id: str = "running") -> JudgeCall:
    return JudgeCall(
        call_id=call_id,
        run_id=run_id,
        question_key=call_id,
        evaluator="refusal" if call_id == "settled" else "faithfulness",
        version="1",
        judge="small",
        worst_case_usd=0.5,
        at=at,
    )


@pytest.fixture
def spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with a call of each state, one of them a week old, and seven known verdicts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tailwatch.yaml").write_text(PLAN)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("TAILWATCH_STORE_URL", url)
    for name in ("TAILWATCH_PLAN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with open_store(url) as store:
        store.upgrade()
        for run_id in ("running", "ended"):
            store.start_run(RunRecord(run_id=run_id, kind="hourly", started_at=NOW))
        store.finish_run("ended", NOW, "failed")
        calls = [
            call("settled"),
            call("open"),
            call("orphan", run_id="ended"),
            call("old", LAST_WEEK),
        ]
        store.reserve_calls(calls, Caps(run_usd=9))
        for call_id in ("settled", "old"):
            usage = Usage(cost_usd=0.25, input_tokens=1000, output_tokens=20)
            store.settle_calls([SettledCall(call_id=call_id, at=NOW, usage=usage)])
        known = ReusedVerdicts(
            counter="c",
            day=NOW,
            run_id="running",
            evaluator="refusal",
            version="1",
            judge="small",
            verdicts=7,
        )
        store.count_reused([known])


def says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["tailwatch", "spend", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.mark.usefixtures("spent")
def test_it_says_what_was_spent_today_of_which_cap_and_what_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = " ".join(says(monkeypatch, capsys).split())
    assert "judges were paid 0.2500 USD of at most 5.00; 3.7500 are left" in said
    assert "one run may spend 2.00" in said
    assert "0.5000 more are set aside for 1 call under way" in said
    assert "Lost: 1 call, made by a run that ended" in said
    assert "7 verdicts were known already" in said


@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "day",
            {
                f"{LAST_WEEK:%Y-%m-%d}": (0.25, 0, 0, 1, 0),
                f"{NOW:%Y-%m-%d}": (0.25, 0.5, 0.5, 3, 7),
            },
        ),
        ("run", {"running": (0.5, 0.5, 0, 3, 7), "ended": (0, 0, 0.5, 1, 0)}),
        ("evaluator", {"refusal": (0.25, 0, 0, 1, 7), "faithfulness": (0.25, 0.5, 0.5, 3, 0)}),
        ("judge", {"small": (0.5, 0.5, 0.5, 4, 7)}),
    ],
)
def test_it_adds_up_by_day_run_evaluator_and_judge(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    by: str,
    expected: dict[str, tuple[float, ...]],
) -> None:
    told = json.loads(says(monkeypatch, capsys, "--by", by, "--json"))
    fields = ("settled_usd", "reserved_usd", "lost_usd", "calls", "reused_verdicts")
    assert {row["name"]: tuple(row[f] for f in fields) for row in told["rows"]} == expected
    assert told["today"]["cap_usd"] == 5.0
    assert by in says(monkeypatch, capsys, "--by", by)


@pytest.mark.usefixtures("spent")
def test_what_a_question_cost_lately_counts_settled_calls_only(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        assert store.cost_per_question(NOW, "small") == {"refusal": 0.25}
        assert store.cost_per_question(LAST_WEEK, "small") == {
            "refusal": 0.25,
            "faithfulness": 0.25,
        }
        assert store.cost_per_question(LAST_WEEK, "large") == {}

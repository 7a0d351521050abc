"""What people read of a dry run: a bound that holds, and what the other figure leaves out."""

from dataclasses import replace

from flows.backfill_plan import Estimate
from flows.checking import CheckReport
from flows.notes import check_note, estimate_note, run_note
from flows.runs import RunReport

COUNTED = Estimate(
    windows=2,
    listed=30,
    to_fetch=20,
    evaluations={"faithfulness": 20},
    one_call_each_usd=4.5,
    cap_usd=1.0,
    questions={"faithfulness": 20},
)


TRUST = ["How far the judges can be believed:", "", "- `Validation of x: unvalidated`", ""]


def test_a_run_says_how_far_its_judges_are_to_be_believed() -> None:
    report = RunReport(run_id="r", windows=(), cost_usd=0.5, note="the first is down")
    note = run_note(report, TRUST)
    assert note.index("- the first is down") < note.index("- `Validation of x: unvalidated`")
    assert "Validation" not in run_note(report)
    checked = check_note(CheckReport(checked=(), findings=(), events=()), (), trust=TRUST)
    assert checked.endswith("\n".join(TRUST))


def test_only_the_cap_is_called_a_bound() -> None:
    note = estimate_note(COUNTED)

    assert "at most its cap of 1.00 USD" in note
    assert note.count("at most") == 1
    assert "4.50 USD" in note
    assert "up to 20 questions (20 of faithfulness)" in note
    assert "not known" in note
    assert "would be 0.35 USD" in estimate_note(replace(COUNTED, expected_usd=0.35))


def test_nothing_outstanding_names_no_money() -> None:
    assert "USD" not in estimate_note(replace(COUNTED, evaluations={"faithfulness": 0}))

"""What people read of a dry run: a bound that holds, and what the other figure leaves out."""

from dataclasses import replace

from flows.backfill_plan import Estimate
from flows.notes import estimate_note

COUNTED = Estimate(
    windows=2,
    listed=30,
    to_fetch=20,
    evaluations={"faithfulness": 20},
    one_call_each_usd=4.5,
    cap_usd=1.0,
    questions={"faithfulness": 20},
)


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

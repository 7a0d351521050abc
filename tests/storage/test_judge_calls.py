"""The books of judge calls, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from storage.judge_tables import JUDGE_ACCOUNTS, JUDGE_CALLS
from storage.records import RunRecord
from storage.store import Store, open_store
from tailwatch.caps import trillionths
from tailwatch.judge_calls import BookEntries, Caps, JudgeCall, ReusedVerdicts, SettledCall
from tailwatch.outcome import Usage
from tailwatch.plan import KeepText
from tailwatch.protocols import Verdict

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLENTY = Caps(run_usd=100.0)


def call(call_id: str, worst: float = 0.1, **fields: Any) -> JudgeCall:
    defaults: dict[str, Any] = {
        "run_id": "run",
        "question_key": f"key of {call_id}",
        "evaluator": "faithfulness",
        "version": "1",
        "judge": "judge-small",
        "at": NOON,
    }
    return JudgeCall(call_id=call_id, worst_case_usd=worst, **defaults | fields)


def settled(
    call_id: str, cost: float | None = 0.04, choice: str | None = None, at: datetime = NOON
) -> SettledCall:
    verdict = (
        None
        if choice is None
        else Verdict(choice=choice, explanation="because " * 100, usage=Usage(cost_usd=cost))
    )
    usage = Usage(cost_usd=cost, input_tokens=7, output_tokens=3, latency_ms=1.5)
    return SettledCall(call_id=call_id, at=at, usage=usage, verdict=verdict)


def taken(store: Store) -> dict[str, float]:
    """What the accounts hold, in USD; each has been checked against its calls."""
    with store.database.read() as connection:
        accounts = {
            (row.scope, row.name): row.taken for row in connection.execute(select(JUDGE_ACCOUNTS))
        }
        calls = connection.execute(select(JUDGE_CALLS)).all()
    expected = dict.fromkeys(accounts, 0)
    for row in calls:
        counts = row.worst_case_usd if row.cost_usd is None else row.cost_usd
        for key in (
            ("run", row.run_id),
            ("day", f"{row.day:%Y-%m-%d}"),
            ("evaluator", f"{row.run_id}/{row.evaluator}"),
        ):
            expected[key] += trillionths(counts)
    assert accounts == expected
    return {f"{scope} {name}": amount / 1e12 for (scope, name), amount in accounts.items()}


def states(store: Store) -> dict[str, str]:
    with store.database.read() as connection:
        return {row.call_id: row.state for row in connection.execute(select(JUDGE_CALLS))}


def test_the_last_cent_can_be_spent_and_no_more(store: Store) -> None:
    caps = Caps(run_usd=0.3)
    assert store.reserve_calls([call(f"c{i}") for i in range(4)], caps) == [True, True, True, False]
    store.settle_calls([settled("c0", 0.04)])
    assert store.reserve_calls([call("c5", 0.07), call("c6", 0.06)], caps) == [False, True]
    assert taken(store)["run run"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("caps", "answers"),
    [
        (Caps(run_usd=0.2), [True, True, True, False]),
        (Caps(run_usd=9, day_usd=0.2), [True, True, False, True]),
        (Caps(run_usd=9, evaluator_usd={"refusal": 0.1}), [True, True, True, True]),
        (Caps(run_usd=9, evaluator_usd={"faithfulness": 0.1}), [True, False, True, False]),
    ],
)
def test_each_cap_counts_its_own_calls(store: Store, caps: Caps, answers: list[bool]) -> None:
    calls = [
        call("c0"),
        call("c1", evaluator="refusal" if caps.evaluator_usd.get("refusal") else "faithfulness"),
        call("c2", run_id="other"),
        call("c3", at=NOON + timedelta(days=1)),
    ]
    assert store.reserve_calls(calls, caps) == answers
    taken(store)


def test_the_day_is_utc(store: Store) -> None:
    late = datetime.fromisoformat("2026-03-02T23:30:00-05:00")
    store.reserve_calls([call("c", at=late)], PLENTY)
    assert "day 2026-03-03" in taken(store)


def test_repeating_changes_nothing(store: Store) -> None:
    calls, ends = [call("a"), call("b", 0.05)], [settled("a", choice="yes")]
    for _ in range(3):
        assert store.reserve_calls(calls, Caps(run_usd=0.15)) == [True, True]
    for _ in range(3):
        store.settle_calls(ends)
    store.settle_calls([settled("a", 9.0), settled("unheard of", 9.0)])
    assert store.reserve_calls(calls, Caps(run_usd=0.15)) == [True, True]
    assert taken(store)["run run"] == pytest.approx(0.09)


def test_a_call_dearer_than_its_reservation_is_booked_in_full(store: Store) -> None:
    store.reserve_calls([call("a", 0.5)], Caps(run_usd=1))
    store.settle_calls([settled("a", 0.9)])
    assert taken(store)["run run"] == pytest.approx(0.9)
    assert store.reserve_calls([call("b", 0.2)], Caps(run_usd=1)) == [False]


def test_an_unknown_cost_stays_the_worst_case_and_a_mad_one_stops_everything(store: Store) -> None:
    store.reserve_calls([call("a"), call("b")], PLENTY)
    store.settle_calls([settled("a", None)])
    assert taken(store)["run run"] == pytest.approx(0.2)
    store.settle_calls([settled("b", 1e30)])
    assert store.reserve_calls([call("c", 0.0)], PLENTY) == [False]


def test_what_is_settled_pays_for_what_is_wanted_in_the_same_transaction(store: Store) -> None:
    caps = Caps(run_usd=0.2)
    store.reserve_calls([call("a"), call("b")], caps)
    entries = BookEntries(
        settled=[settled("a", 0.02, choice="yes"), settled("unheard of")],
        wanted=[call("c", 0.05), call("d", 0.05)],
        sought=["key of a", "key of c"],
        since=NOON,
    )
    assert store.book(entries, caps).covered == [True, False]
    again = store.book(entries, caps)
    assert again.covered == [True, False]
    assert list(again.known) == ["key of a"]
    assert states(store) == {"a": "settled", "b": "reserved", "c": "reserved"}
    assert taken(store)["run run"] == pytest.approx(0.17)
    with pytest.raises(ValueError, match="no amount"):
        store.book(BookEntries(settled=[settled("b")], wanted=[call("e", -1.0)]), caps)
    assert states(store)["b"] == "reserved"


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf")])
def test_impossible_amounts_are_refused(store: Store, amount: float) -> None:
    with pytest.raises(ValueError, match="no amount"):
        store.reserve_calls([call("a", amount)], PLENTY)
    assert states(store) == {}


def test_what_nobody_settles_is_lost_counts_on_and_may_be_found_again(store: Store) -> None:
    for run_id in ("ended", "running"):
        store.start_run(RunRecord(run_id=run_id, kind="hourly", started_at=NOON))
    store.finish_run("ended", NOON, "done")
    soon = NOON + timedelta(minutes=1)
    calls = [
        call("old", run_id="running", open_until=soon),
        call("young", run_id="running", open_until=soon + timedelta(minutes=2)),
        call("orphan", run_id="ended"),
        call("batch", run_id="ended", open_until=soon + timedelta(days=1), outlives_run=True),
        call("done", run_id="ended"),
        call("nobody's", run_id="never heard of"),
    ]
    store.reserve_calls(calls, PLENTY)
    store.settle_calls([settled("done")])
    assert store.mark_lost_calls(soon) == 2
    assert store.mark_lost_calls(soon) == 0
    lost = {call_id for call_id, state in states(store).items() if state == "lost"}
    assert lost == {"old", "orphan"}
    assert taken(store)["day 2026-03-02"] == pytest.approx(0.54)

    store.settle_calls([settled("old")])
    assert states(store)["old"] == "settled"
    assert taken(store)["run running"] == pytest.approx(0.14)
    assert store.mark_lost_calls(NOON + timedelta(hours=1)) == 2
    assert states(store)["nobody's"] == "lost"


def test_the_newest_verdict_on_a_question_is_known(store: Store) -> None:
    later = NOON + timedelta(hours=1)
    store.reserve_calls(
        [call("a", question_key="k"), call("b", question_key="k"), call("c")], PLENTY
    )
    store.settle_calls([settled("b", choice="no", at=later), settled("c")])
    store.settle_calls([settled("a", choice="yes", at=NOON)])
    known = store.known_verdicts(["k", "key of c", "unheard of"], NOON)
    assert known.keys() == {"k"}
    assert (known["k"].verdict.choice, known["k"].at) == ("no", later)
    assert known["k"].verdict.usage == Usage(cost_usd=0.0)
    assert store.known_verdicts(["k"], later + timedelta(seconds=1)) == {}
    assert store.known_verdicts([], NOON) == {}


@pytest.mark.parametrize(("keep", "chars"), [("full", 800), ("excerpt", 500), ("none", 0)])
def test_an_explanation_is_kept_as_far_as_text_may_be(
    store_url: str, keep: str, chars: int
) -> None:
    with open_store(store_url, KeepText(keep)) as store:
        store.reserve_calls([call("a")], PLENTY)
        store.settle_calls([settled("a", choice="yes")])
        (known,) = store.known_verdicts(["key of a"], NOON).values()
    assert known.verdict.choice == "yes"
    assert len(known.verdict.explanation) == chars


def test_old_explanations_are_forgotten_with_the_texts(store: Store) -> None:
    store.reserve_calls([call("old"), call("new")], PLENTY)
    store.settle_calls([settled("old", choice="yes")])
    store.settle_calls([settled("new", choice="no", at=NOON + timedelta(hours=1))])
    store.forget_texts("app", NOON + timedelta(hours=1), rehearse=True)
    assert store.known_verdicts(["key of old"], NOON)["key of old"].verdict.explanation
    store.forget_texts("app", NOON + timedelta(hours=1))
    known = store.known_verdicts(["key of old", "key of new"], NOON)
    assert known["key of old"].verdict.explanation == ""
    assert known["key of old"].verdict.choice == "yes"
    assert known["key of new"].verdict.explanation


def test_a_later_figure_of_a_counter_replaces_its_earlier_one(store: Store) -> None:
    def reused(counter: str, verdicts: int) -> ReusedVerdicts:
        return ReusedVerdicts(
            counter=counter,
            day=NOON,
            run_id="run",
            evaluator="faithfulness",
            version="1",
            judge="judge-small",
            verdicts=verdicts,
        )

    store.count_reused([reused("a", 2), reused("b", 5)])
    store.count_reused([reused("a", 3)])
    assert store.stats()["judge_reuses"] == 2

"""The plan accepts what it documents and names what it does not know."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tailwatch.plan import EvaluatorPlan, Plan, SamplingPlan, TimingPlan, duration

SMALLEST: dict[str, Any] = {
    "source": {"use": "files", "name": "prod", "options": {"path": "x.jsonl"}},
    "evaluators": [{"use": "ndcg@10"}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1.5h", timedelta(minutes=90)),
        (" 7 d ", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations_are_written_with_a_unit(text: str, expected: timedelta) -> None:
    assert duration(text) == expected
    assert TimingPlan.model_validate({"look_back": text}).look_back == expected


@pytest.mark.parametrize("text", ["10", "m", "-1h", "10 minutes", "1h30m", ""])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a duration; write a number and s, m, h"):
        TimingPlan.model_validate({"settle": text})


def test_the_smallest_plan_has_every_default() -> None:
    plan = Plan.model_validate(SMALLEST)
    assert plan.timing == TimingPlan()
    assert plan.sampling.design().select(["a"]) == {"a": 1.0}
    assert plan.judge is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"evaluators": []}, "at least 1 item"),
        ({"measures": ["latency"]}, "'latency' is not a measure; known: latency_ms"),
        ({"segments": ["color"]}, "'color' is not a segment; known: feature"),
        ({"rules": [{"use": "floor", "segments": ["release"]}]}, "segment of rule floor"),
        ({"rules": [{"use": "floor"}, {"use": "floor"}]}, "two rules are called 'floor'"),
        ({"sampling": {"rate": 0}}, "greater than 0"),
        ({"sampling": {"rate": 1.1}}, "less than or equal to 1"),
        ({"sampling": {"flagged_share": 0.5}}, "less than or equal to 0.33"),
        ({"sampling": {"flagged_share": "half"}}, "should be 'auto'"),
        ({"timing": {"catch_up": 0}}, "greater than or equal to 1"),
        ({"judge": {"model": "m", "max_cost_usd": 0}}, "greater than 0"),
        ({"chunks": 5}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_plan_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Plan.model_validate(SMALLEST | fields)


def test_two_rules_of_a_kind_need_names() -> None:
    rules = [{"use": "floor", "name": "low"}, {"use": "floor", "name": "lower"}]
    assert len(Plan.model_validate(SMALLEST | {"rules": rules}).rules) == 2


@pytest.mark.parametrize("fields", [{}, {"use": "ndcg@10", "rubric": "mine.yaml"}])
def test_an_evaluator_has_a_name_or_a_rubric(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either `use`"):
        EvaluatorPlan.model_validate(fields)


def test_a_sampling_plan_becomes_its_design() -> None:
    design = SamplingPlan(rate=0.5, per_hour=3, cohort="weekly").design()
    assert (design.rate, design.per_hour, design.cohort) == (0.5, 3, "weekly")


@pytest.mark.parametrize(("written", "designed"), [({}, None), ({"flagged_share": 0.2}, 0.2)])
def test_the_share_of_flagged_traces_is_learned_unless_it_is_given(
    written: dict[str, Any], designed: float | None
) -> None:
    design = SamplingPlan.model_validate({"per_hour": 20} | written).design()
    assert (design.flagged_share, design.learns) == (designed, designed is None)


def test_signals_are_measures_too() -> None:
    assert "flagged" in Plan.model_validate(SMALLEST).measures
    assert Plan.model_validate(SMALLEST | {"measures": ["thumbs_down"]}).measures


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("measures", ("latency_ms", "latency_ms"), "'latency_ms' is twice among the measures"),
        ("segments", ("feature", "feature"), "'feature' is twice among the segments"),
        ("timing", {"settle": "9999999999999w"}, "longer than any calendar"),
    ],
)
def test_what_no_run_could_work_with_is_refused(setting: str, value: object, says: str) -> None:
    given = {
        "source": {"use": "files", "name": "app"},
        "evaluators": [{"use": "token_f1"}],
        setting: value,
    }
    with pytest.raises(ValidationError, match=says):
        Plan.model_validate(given)

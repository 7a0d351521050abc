from datetime import timedelta

import pytest

from alerts.index import RULES, build_rule
from tailwatch.alert import Direction, FindingStatus
from tailwatch.errors import ConfigurationError, UnknownNameError
from tailwatch.plan import RulePlan
from tests.alerts.samples import hour

REQUIRED = {"floor": {"line": 0.5}, "limit": {"line": 0.5}}


def built(use: str, options: dict[str, object]) -> timedelta:
    return build_rule(RulePlan(use=use, options=options)).history


@pytest.mark.parametrize("use", RULES)
def test_every_rule_builds_and_calls_an_empty_hour_no_data(use: str) -> None:
    rule = build_rule(RulePlan(use=use, name="mine", options=REQUIRED.get(use, {})))
    finding = rule.check([hour(0)], (), Direction.HIGHER_IS_BETTER, hour(0).window.end)
    assert rule.name == finding.rule == "mine"
    learns = use == "tail_evidence"
    assert finding.status is (FindingStatus.LEARNING if learns else FindingStatus.NO_DATA)


def test_a_rule_without_a_name_has_the_name_of_what_it_uses() -> None:
    assert build_rule(RulePlan(use="no_data")).name == "no_data"


def test_an_unknown_rule_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="coverage, failure_rate, floor, limit, no_data"):
        build_rule(RulePlan(use="flor"))


@pytest.mark.parametrize("hours", [100, 100.0, "100h", "6000m"])
def test_hours_are_a_number_or_a_duration(hours: object) -> None:
    assert built("floor", {"line": 1, "hours": hours}) == timedelta(hours=100)


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("floor", {}, "rule 'floor': the option 'line' is missing"),
        ("floor", {"line": "low"}, "line is 'low'; Input should be a valid number"),
        ("floor", {"line": float("nan")}, "line is nan; Input should be a finite number"),
        ("floor", {"line": 1, "shares": 0.1}, "'shares' is not an option; accepted: line, share,"),
        ("floor", {"line": 1, "share": 1}, "share is 1; Input should be less than 1"),
        ("floor", {"line": 1, "hours": "day"}, "hours is 'day'; 'day' is not a duration"),
        ("floor", {"line": 1, "hours": "90m"}, "hours is '90m'; must be whole hours"),
        (
            "limit",
            {"line": 1, "share": 0.1, "quantile": "p10"},
            "quantile is 'p10'; must not stand beside `share`",
        ),
        ("limit", {"line": 1, "quantile": "p50"}, "quantile is 'p50'; Input should be 'p1', 'p5'"),
        ("no_data", {"hours": 0}, "hours is 0; must be whole hours"),
        ("failure_rate", {"alpha": 0.9}, "alpha is 0.9; Input should be less than or equal to 0.5"),
    ],
)
def test_a_wrong_option_is_named_with_the_fix(
    use: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        built(use, options)
    assert message in str(raised.value)

from collections.abc import Sequence
from dataclasses import replace

import pytest

from alerts.rules.tail_evidence import TailEvidence, tail_evidence
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample
from tailwatch.errors import ConfigurationError
from tests.alerts.samples import hour, start_of

FINE = [0.25] * 3 + [0.5] * 7 + [0.75] * 30 + [1.0] * 60
WORSE = [0.25] * 12 + [0.5] * 6 + [0.75] * 27 + [1.0] * 55
BASELINE = [hour(i, FINE) for i in range(-168, 0)]


def check(
    *values: Sequence[float],
    baseline: Sequence[ScoreSample] = BASELINE,
    direction: Direction = Direction.HIGHER_IS_BETTER,
    **options: object,
) -> Finding:
    current = [hour(i, v) for i, v in enumerate(values)]
    rule = tail_evidence("tail", options)
    assert isinstance(rule, TailEvidence)
    rule = replace(rule, monitors=5)
    return rule.check(current, baseline, direction, current[-1].window.end)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([FINE] * 24, FindingStatus.OK),
        ([FINE] * 24 + [()], FindingStatus.NO_DATA),
        ([FINE] * 24 + [WORSE] * 5, FindingStatus.BREACH),
        ([FINE] * 24 + [WORSE] * 5 + [()], FindingStatus.BREACH),
        ([FINE] * 24 + [WORSE] * 5 + [FINE] * 24, FindingStatus.OK),
    ],
)
def test_the_verdict_on_hours(values: list[Sequence[float]], status: FindingStatus) -> None:
    assert check(*values).status is status


def test_a_short_baseline_is_still_learning() -> None:
    found = check(WORSE, baseline=BASELINE[:4])
    assert found.status is FindingStatus.LEARNING
    assert "learning: 400 of 500 scored outputs" in found.sentence
    assert check(WORSE, baseline=()).status is FindingStatus.LEARNING


def test_the_sentence_compares_with_the_baseline_and_names_the_budget() -> None:
    found = check(*[FINE] * 24, *[WORSE] * 5)
    assert found.onset == start_of(24)
    assert found.sentence.startswith(
        "lexical_support in all traffic regressed since about Tue 3 Mar 10:00 UTC (5 h): 60 of 500 "
        "scored outputs are 0.25 or lower; the baseline has 15 in 500 and up to 16.6 would be "
        "tolerated. P10 fell from 0.5 to 0.25 (95 % interval 0.25 to 0.5). Evidence "
    )
    assert found.sentence.endswith(
        "alert at 3,360 (budget: one false alert in 4 weeks over 5 monitors)."
    )
    assert found.numbers["bad"] == 60


def test_where_lower_is_better_the_upper_tail_counts() -> None:
    baseline = [hour(i, [-v for v in FINE]) for i in range(-168, 0)]
    values = [[-v for v in FINE]] * 24 + [[-v for v in WORSE]] * 5
    found = check(*values, baseline=baseline, direction=Direction.LOWER_IS_BETTER)
    assert found.status is FindingStatus.BREACH
    assert "60 of 500 scored outputs are -0.25 or higher" in found.sentence


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(ConfigurationError, match="weeks is 0"):
        tail_evidence("tail", {"weeks": 0})
    with pytest.raises(ConfigurationError, match="different shares up to"):
        tail_evidence("tail", {"levels": [0.1, 0.6]})

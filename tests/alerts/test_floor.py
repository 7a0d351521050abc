from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from alerts.rules.floor import floor
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample, Segment
from tailwatch.evaluation import Series
from tests.alerts.samples import SEARCH, hour, scored, start_of

UP, DOWN = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER


def check(samples: Sequence[ScoreSample], direction: Direction = UP, **options: object) -> Finding:
    rule = floor("p10_floor", {"line": 0.45} | options)
    return rule.check(samples, (), direction, samples[-1].window.end)


@pytest.mark.parametrize(
    ("bad", "n", "status"),
    [
        (0, 0, FindingStatus.NO_DATA),
        (3, 3, FindingStatus.NO_DATA),  # even all of them bad has p = 0.001
        (19, 19, FindingStatus.NO_DATA),  # fewer than min_scored
        (0, 20, FindingStatus.OK),
        (10, 100, FindingStatus.OK),
        (20, 100, FindingStatus.OK),  # p = 0.002
        (21, 100, FindingStatus.BREACH),  # p = 0.0008
        (100, 100, FindingStatus.BREACH),
    ],
)
def test_the_verdict_on_a_count(bad: int, n: int, status: FindingStatus) -> None:
    assert check([hour(0, scored(bad, n))]).status is status


@pytest.mark.parametrize(("bad", "n"), [(0, 40), (9, 40), (62, 311), (400, 400)])
def test_the_p_value_is_the_exact_binomial_one(bad: int, n: int) -> None:
    expected = stats.binomtest(bad, n, 0.1, alternative="greater").pvalue
    assert check([hour(0, scored(bad, n))]).numbers["p_value"] == pytest.approx(expected)


def test_a_value_on_the_line_is_fine() -> None:
    on_the_line = [hour(0, [0.45] * 100)]
    assert check(on_the_line, UP).numbers["bad"] == 0
    assert check(on_the_line, DOWN).numbers["bad"] == 0


def test_where_lower_is_better_the_line_is_a_ceiling() -> None:
    costs = [hour(0, [0.01] * 70 + [0.05] * 30)]
    found = check(costs, DOWN, line=0.02)
    assert found.status is FindingStatus.BREACH
    assert found.numbers["bad"] == 30
    assert found.numbers["probability"] == 0.9
    assert "30 of 100 scored outputs (30 %) are above 0.02" in found.sentence
    assert check(costs, DOWN, line=0.05).status is FindingStatus.OK


def test_only_the_tested_hours_count() -> None:
    samples = [hour(0, scored(100, 100)), *(hour(i, scored(0, 50)) for i in range(1, 25))]
    found = check(samples)
    assert found.status is FindingStatus.OK
    assert (found.window.start, found.window.end) == (start_of(1), start_of(25))


@pytest.mark.parametrize(("further", "began"), [(0.1, 48), (0.25, 60), (0.5, 66)])
def test_the_onset_is_within_two_hours(further: float, began: int) -> None:
    """100 outputs an hour for 72 h, 5 % of them bad, and `further` more from hour `began` on."""
    random = np.random.default_rng(7)
    hits, repetitions = 0, 100
    for _ in range(repetitions):
        shares = [0.05 if i < began else 0.05 + further for i in range(72)]
        samples = [hour(i, scored(random.binomial(100, p), 100)) for i, p in enumerate(shares)]
        found = check(samples)
        assert found.status is FindingStatus.BREACH
        assert found.onset is not None
        hits += abs((found.onset - start_of(began)).total_seconds()) <= 2 * 3600
    assert hits >= 80


def test_a_series_that_was_always_bad_says_so() -> None:
    found = check([hour(i, scored(30, 100)) for i in range(72)])
    assert found.onset == start_of(0)
    assert "Since Mon 2 Mar 10:00 UTC or earlier." in found.sentence


def test_an_onset_after_a_gap_is_the_first_hour_with_outputs() -> None:
    samples = [*(hour(i) for i in range(5)), *(hour(i, scored(60, 100)) for i in range(5, 8))]
    assert check(samples).onset == start_of(5)


def test_a_small_but_sure_excess_has_an_onset_too() -> None:
    """10.6 % of very many outputs is surely above 10 %, and below every larger alternative."""
    samples = [hour(i, scored(100 if i < 3 else 424, 4000)) for i in range(12)]
    found = check(samples, hours=9)
    assert found.status is FindingStatus.BREACH
    assert found.onset == start_of(3)


def test_the_sentence_says_what_how_sure_and_since_when() -> None:
    series = Series(evaluator="lexical_support", version="2")
    segment = Segment(field="prompt_version", value="v3")
    values = [[0.3] * 2 + [0.9] * 38] * 22 + [[0.31] * 20 + [0.9] * 20] * 5
    samples = [hour(i, v, series=series, segment=segment) for i, v in enumerate(values)]
    assert check(samples).sentence == (
        "lexical_support in prompt_version=v3: 138 of 960 scored outputs (14.4 %) are below 0.45 "
        "in the last 24 h; at most 10 % are tolerated (p = 1e-05). P10 is 0.31 "
        "(95 % interval 0.31 to 0.31). Since about Tue 3 Mar 08:00 UTC."
    )


def test_too_little_says_what_became_of_the_rest() -> None:
    assert check([hour(0, [1.0], skipped=4, failed=5, segment=SEARCH)]).sentence == (
        "lexical_support in feature=search: too few scored outputs in the last 24 h to compare "
        "with 0.45: 1 (4 skipped, 5 failed)."
    )


def test_a_hostile_segment_cannot_steer_the_terminal() -> None:
    segment = Segment(field="feature", value="a\x1b[2Jb\u202e\n" + "x" * 500)
    sentence = check([hour(0, scored(9, 20), segment=segment)]).sentence
    assert sentence.isprintable()
    assert len(sentence) < 400


def test_weighted_scores_count_for_what_they_stand_for() -> None:
    """A third of the sample is flagged, a tenth of the traffic, and only that is bad."""
    values, weights = scored(50, 150), [0.3] * 50 + [1.35] * 100
    found = check([replace(hour(0, values), weights=weights)])
    assert found.status is FindingStatus.OK
    assert check([hour(0, values)]).status is FindingStatus.BREACH
    assert found.numbers["scored"] == pytest.approx(150**2 / (50 * 0.09 + 100 * 1.35**2))
    assert "(10 %) are below 0.45" in found.sentence
    assert "by weight" in found.sentence

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from alerts.evidence import follow, undisturbed
from alerts.limit_counts import LEAST_HOURS, design_effect
from alerts.lines import Counts, Line, Lines
from alerts.rules.limit import Limit, limit
from tailwatch.alert import Direction, Finding, FindingStatus, ScoreSample, Segment
from tailwatch.evaluation import Series
from tests.alerts.samples import SEARCH, hour, scored, start_of

UP, DOWN = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
FINE, WORSE = scored(5, 100), scored(25, 100)


def rule_of(**options: object) -> Limit:
    rule = limit("p10_limit", {"line": 0.45} | options)
    assert isinstance(rule, Limit)
    return rule


def check(samples: Sequence[ScoreSample], direction: Direction = UP, **options: object) -> Finding:
    return rule_of(**options).check(samples, (), direction, samples[-1].window.end)


def hours(*values: Sequence[float]) -> list[ScoreSample]:
    return [hour(i, v) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "status", "conclusive"),
    [
        ([()], FindingStatus.NO_DATA, False),
        ([scored(19, 19)], FindingStatus.NO_DATA, False),
        ([FINE] * 24, FindingStatus.OK, False),
        ([scored(10, 100)] * 100, FindingStatus.OK, False),  # just what is tolerated
        ([FINE] * 24 + [()], FindingStatus.NO_DATA, False),
        ([FINE] * 24 + [WORSE] * 5, FindingStatus.BREACH, False),
        ([FINE] * 24 + [WORSE] * 5 + [()] * 3, FindingStatus.BREACH, False),
        ([FINE] * 24 + [WORSE] * 5 + [FINE] * 12, FindingStatus.OK, True),
        ([scored(100, 100)], FindingStatus.BREACH, False),
    ],
)
def test_the_verdict_on_hours(
    values: list[Sequence[float]], status: FindingStatus, conclusive: bool
) -> None:
    found = check(hours(*values))
    assert found.status is status
    if status is not FindingStatus.BREACH:
        assert found.conclusive is conclusive


def test_a_value_on_the_line_is_fine_both_ways() -> None:
    on_the_line = hours([0.45] * 100)
    assert check(on_the_line, UP).numbers["bad"] == 0
    assert check(on_the_line, DOWN).numbers["bad"] == 0


@pytest.mark.parametrize(
    ("quantile", "share"), [("p10", 0.1), ("p5", 0.05), ("p90", 0.1), ("p95", 0.05), (None, 0.1)]
)
def test_a_percentile_is_a_tolerated_share(quantile: str | None, share: float) -> None:
    assert rule_of(quantile=quantile).share == share


def test_an_hour_without_data_adds_nothing() -> None:
    values = [FINE] * 6 + [WORSE] * 3
    gaps = [v for value in values for v in (value, ())]
    one, other = check(hours(*values)), check(hours(*gaps))
    assert one.numbers == other.numbers
    assert other.onset == start_of(12)


def test_the_arithmetic_is_that_of_tail_evidence() -> None:
    """The same evidence as `follow` on the counts, with and without an incident."""
    random = np.random.default_rng(3)
    for share in (0.02, 0.1, 0.13, 0.3):
        n = random.integers(1, 60, size=120)
        bad = random.binomial(n, np.where(np.arange(120) < 60, 0.08, share))
        rule = rule_of()
        samples = hours(*(scored(int(k), int(of)) for k, of in zip(bad, n, strict=True)))
        counts = Counts(
            starts=tuple(start_of(i) for i in range(120)),
            bad=bad.astype(float)[:, None, None],
            n=n.astype(float)[:, None, None],
        )
        lines = given_lines(0.1, design_effect(bad.astype(float), n.astype(float)))
        expected = follow(counts, lines, rule.budget.alert_at)
        course = rule.course(rule.counted(samples, UP), UP)
        assert course.incidents == expected.incidents
        assert course.evidence == pytest.approx(expected.evidence, rel=1e-9)
        until = expected.incidents[0].alarm + 1 if expected.incidents else 120
        assert undisturbed(counts, lines)[:until] == pytest.approx(
            expected.evidence[:until], rel=1e-9
        )


def given_lines(share: float, effect: float) -> Lines:
    line = Line(score=0.45, inclusive=False, direction=UP)
    return Lines(
        segments=(),
        lines=((line,),),
        usual=np.array([[share]]),
        tolerated=np.array([[share]]),
        effect=np.array([effect]),
        baseline_bad=np.zeros(1),
        baseline_n=np.zeros(1),
    )


def test_at_exactly_what_is_tolerated_false_alerts_are_within_the_budget() -> None:
    """40 times 4 weeks of 10 outputs an hour, 10 % of them bad; at most 1 each is expected."""
    random = np.random.default_rng(11)
    values = [scored(bad, 10) for bad in range(11)]
    rule, alarms = rule_of(), 0
    for bad in random.binomial(10, 0.1, size=(40, 672)):
        samples = [hour(i, values[k]) for i, k in enumerate(bad)]
        alarms += len(rule.course(rule.counted(samples, UP), UP).incidents)
    assert alarms / 40 <= 1


def shares_of(random: np.random.Generator, weeks: int, *, noisy: bool) -> NDArray[np.float64]:
    """The true bad share of every hour: 10 %, or around it, twice as bad now and then."""
    size = (weeks, 168)
    return random.beta(5, 45, size) if noisy else np.full(size, 0.1)


def test_hours_that_differ_count_for_less_and_independent_ones_for_what_they_are() -> None:
    random = np.random.default_rng(2)
    n = np.full(168, 100.0)
    alarms = {}
    for noisy, least, most in ((False, 1.0, 1.3), (True, 2.5, 4.2)):
        counts = random.binomial(100, shares_of(random, 60, noisy=noisy)).astype(float)
        assert least <= np.mean([design_effect(bad, n) for bad in counts]) <= most
        alarms[noisy] = sum(
            bool(rule_of().course(rule_of().counted(weeks_hours(bad), UP), UP).incidents)
            for bad in counts
        )
    assert max(alarms.values()) / 60 <= 1 / 4


def weeks_hours(bad: NDArray[np.float64]) -> list[ScoreSample]:
    return hours(*(scored(int(k), 100) for k in bad))


def test_an_incident_is_no_reason_to_count_it_for_less() -> None:
    random = np.random.default_rng(4)
    share = np.where(np.arange(120) < 100, 0.05, 0.3)
    bad, n = random.binomial(100, share).astype(float), np.full(120, 100.0)
    assert design_effect(bad, n) <= 1.7
    assert design_effect(bad[-LEAST_HOURS + 1 :], n[-LEAST_HOURS + 1 :]) == 1


@pytest.mark.parametrize(("further", "most"), [(0.05, 24), (0.1, 8), (0.3, 2)])
def test_a_clear_breach_is_found_within_hours(further: float, most: int) -> None:
    """100 outputs an hour, 10 % of them bad for two days and then `further` more."""
    random = np.random.default_rng(5)
    delays, close = [], 0
    for _ in range(20):
        shares = np.where(np.arange(96) < 48, 0.1, 0.1 + further)
        samples = hours(*(scored(int(k), 100) for k in random.binomial(100, shares)))
        course = rule_of().course(rule_of().counted(samples, UP), UP)
        found = next((i for i in course.incidents if i.alarm >= 48), None)
        delays.append(96 if found is None else found.alarm - 47)
        close += found is not None and abs(found.onset - 48) <= 4
    assert np.median(delays) <= most
    assert close >= 12


def test_more_monitors_need_more_evidence() -> None:
    one, many = rule_of().sharing(1, 4), rule_of().sharing(30, 4)
    assert (one.budget.alert_at, many.budget.alert_at) == (672, 30 * 672)
    assert rule_of(weeks=8).sharing(30, 4).budget.alert_at == 2 * 30 * 672
    assert rule_of().sharing(0, 4).budget.alert_at == 672


def test_the_sentence_of_a_breach() -> None:
    series = Series(evaluator="latency_ms", version="1")
    segment = Segment(field="feature", value="search")
    values = [[900.0] * 98 + [4500.0] * 2] * 24 + [[900.0] * 85 + [4000.0] * 3 + [5000.0] * 12] * 5
    samples = [hour(i, v, series=series, segment=segment) for i, v in enumerate(values)]
    rule = rule_of(line=4000, quantile="p95").sharing(6, 4)
    found = rule.check(samples, (), DOWN, samples[-1].window.end)
    assert found.onset == start_of(24)
    before, after = found.sentence.split("Evidence ")
    assert before == (
        "latency_ms in feature=search is beyond its limit since about Tue 3 Mar 10:00 UTC (5 h): "
        "60 of 500 scored outputs (12 %) are above 4,000 ms; at most 5 % are tolerated. "
        "P95 is 5,000 ms (95 % interval 5,000 ms to 5,000 ms). "
    )
    assert after.endswith("alert at 4,032 (budget: one false alert in 4 weeks over 6 monitors).")


def test_a_series_that_was_always_beyond_says_so() -> None:
    assert "since Mon 2 Mar 10:00 UTC or earlier (12 h)" in check(hours(*[WORSE] * 12)).sentence


def test_the_sentence_of_a_kept_limit() -> None:
    assert check(hours(*[FINE] * 24)).sentence.startswith(
        "lexical_support in all traffic: 120 of 2,400 scored outputs (5 %) are below 0.45 in the "
        "last 24 h; at most 10 % are tolerated. Evidence "
    )


def test_too_little_says_what_became_of_the_rest() -> None:
    assert check([hour(0, [1.0], skipped=4, failed=5, segment=SEARCH)]).sentence == (
        "lexical_support in feature=search: too few scored outputs to compare with 0.45: "
        "1 (4 skipped, 5 failed)."
    )


def test_weighted_scores_count_for_what_they_stand_for() -> None:
    """A third of the sample is flagged, a tenth of the traffic, and only that is bad."""
    values, weights = scored(50, 150), [0.3] * 50 + [1.35] * 100
    weighted = replace(hour(0, values), weights=weights)
    assert check([weighted]).status is FindingStatus.OK
    assert check([hour(0, values)]).status is FindingStatus.BREACH
    assert "by weight" in check([weighted]).sentence

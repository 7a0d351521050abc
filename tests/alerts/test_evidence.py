"""Evidence against a budget: few false alarms, soon a true one, and the same however computed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from alerts.cusum import FURTHER_SHARES
from alerts.evidence import Course, follow, hourly_ratios, threshold
from alerts.lines import Counts, Lines, count, learn
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tests.alerts.samples import hour, start_of

UP = Direction.HIGHER_IS_BETTER
ALERT_AT = threshold(3)
WEEK = 168


def scores(random: np.random.Generator, bad: float, n: int) -> list[float]:
    """Beta scores, the share `bad` of them from the low end."""
    low = random.random(n) < bad
    values: list[float] = np.where(low, random.beta(2, 8, n), random.beta(8, 2, n)).tolist()
    return values


def hours_of(
    random: np.random.Generator, shares: Sequence[float], n: int = 100
) -> list[ScoreSample]:
    return [hour(i, scores(random, share, n)) for i, share in enumerate(shares)]


def course_of(
    baseline: Sequence[ScoreSample], current: Sequence[ScoreSample], alert_at: float = ALERT_AT
) -> Course:
    lines = learn({ALL_TRAFFIC: baseline}, UP)
    assert lines is not None
    return follow(count({ALL_TRAFFIC: current}, lines.segments, lines.lines), lines, alert_at)


def constant_lines(tolerated: float) -> Lines:
    """One row, no overdispersion, the same tolerated share at every level."""
    lines = learn({ALL_TRAFFIC: [hour(0, [0.0] * 50 + [1.0] * 950)]}, UP)
    assert lines is not None
    shape = lines.tolerated.shape
    return replace(
        lines,
        usual=np.full(shape, tolerated / 1.2),
        tolerated=np.full(shape, tolerated),
        effect=np.ones(shape[1]),
    )


def counts_of(bad: Sequence[int], n: int) -> Counts:
    """The same count at every level of the first row."""
    table = np.zeros((len(bad), 2, 4), dtype=np.float64)
    table[:, 0, :] = np.array(bad)[:, None]
    of = np.zeros_like(table)
    of[:, 0, :] = n
    return Counts(starts=tuple(start_of(i) for i in range(len(bad))), bad=table, n=of)


@pytest.mark.parametrize("tolerated", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("true_share", [1.0, 0.8])
def test_no_evidence_is_expected_while_the_share_is_tolerated(
    tolerated: float, true_share: float
) -> None:
    """The expectation of exp(L), summed over every count there can be, is at most 1."""
    n = 60
    ratios = hourly_ratios(counts_of(range(n + 1), n), constant_lines(tolerated))
    chances = stats.binom.pmf(np.arange(n + 1), n, true_share * tolerated)
    expected = (chances[:, None, None] * np.exp(ratios)).sum(axis=0)
    assert expected.shape == (4, len(FURTHER_SHARES))
    assert (expected <= 1 + 1e-9).all()


def test_evidence_is_the_mean_of_the_detectors_written_out() -> None:
    lines, counts = constant_lines(0.1), counts_of([5, 12, 9, 20], 60)
    shares = [0.1 + d * 0.9 for d in FURTHER_SHARES]
    detectors, expected = [0.0] * len(shares), []
    for bad in (5, 12, 9, 20):
        detectors = [
            (m + 1) * (a / 0.1) ** bad * ((1 - a) / 0.9) ** (60 - bad)
            for m, a in zip(detectors, shares, strict=True)
        ]
        expected.append(sum(detectors) / len(detectors))
    assert follow(counts, lines, 1e9).evidence == pytest.approx(expected)


def test_quiet_weeks_stay_quiet() -> None:
    """40 weeks; the bound is one alert in 12 weeks, and the measured rate far below it."""
    random = np.random.default_rng(1)
    alerts = 0
    for _ in range(10):
        baseline, current = hours_of(random, [0.0] * WEEK), hours_of(random, [0.0] * 4 * WEEK)
        alerts += len(course_of(baseline, current).incidents)
    assert alerts <= 1


@pytest.mark.parametrize(("bad", "hours"), [(0.05, 7), (0.1, 3), (0.5, 1)])
def test_a_regression_is_found_soon_and_dated(bad: float, hours: int) -> None:
    random = np.random.default_rng(2)
    delays, onsets = [], []
    for _ in range(15):
        baseline = hours_of(random, [0.0] * WEEK)
        (incident, *_) = course_of(baseline, hours_of(random, [0.0] * 24 + [bad] * 48)).incidents
        delays.append(incident.alarm - 23)
        onsets.append(abs(incident.onset - 24))
    assert np.median(delays) <= hours
    assert np.mean(np.array(onsets) <= 2) >= 0.8


def test_an_incident_ends_soon_after_the_recovery_and_stays_one() -> None:
    random = np.random.default_rng(3)
    ends = []
    for _ in range(10):
        course = course_of(
            hours_of(random, [0.0] * WEEK), hours_of(random, [0.0] * 24 + [0.1] * 72 + [0.0] * 72)
        )
        assert len(course.incidents) == 1
        assert course.incidents[0].resolved is not None
        ends.append(course.incidents[0].resolved - 95)
    assert min(ends) > 0
    assert np.median(ends) <= 8


def test_a_changed_mix_of_segments_is_no_regression() -> None:
    """The hard segment grows from a tenth to most of the traffic; each is as good as it was."""
    random = np.random.default_rng(4)
    easy, hard = Segment(field="feature", value="easy"), Segment(field="feature", value="hard")

    def mixed(hours: int, easy_n: int, hard_n: int) -> dict[Segment, list[ScoreSample]]:
        return {
            easy: [hour(i, scores(random, 0.02, easy_n), segment=easy) for i in range(hours)],
            hard: [hour(i, scores(random, 0.30, hard_n), segment=hard) for i in range(hours)],
        }

    baseline, current = mixed(WEEK, 90, 10), mixed(WEEK, 30, 70)
    lines = learn(baseline, UP)
    assert lines is not None
    assert not follow(count(current, lines.segments, lines.lines), lines, ALERT_AT).incidents

    def together(cells: dict[Segment, list[ScoreSample]]) -> list[ScoreSample]:
        return [
            hour(i, [*a.values, *b.values])
            for i, (a, b) in enumerate(zip(cells[easy], cells[hard], strict=True))
        ]

    assert course_of(together(baseline), together(current)).incidents


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40))
def test_evidence_does_not_depend_on_order_or_on_what_comes_later(hours: int) -> None:
    random = np.random.default_rng(hours)
    baseline, current = hours_of(random, [0.0] * 10), hours_of(random, [0.05] * 40, n=20)
    shuffled = [hour(i, sorted(h.values)) for i, h in enumerate(current)]
    whole = course_of(baseline, current)
    assert course_of(baseline, shuffled).evidence.tolist() == whole.evidence.tolist()
    partial = course_of(baseline, current[:hours])
    assert partial.evidence.tolist() == whole.evidence[:hours].tolist()


def test_an_hour_without_outputs_adds_nothing() -> None:
    lines = constant_lines(0.1)
    counts = counts_of([12, 0, 12], 60)
    counts.n[1] = 0
    course = follow(counts, lines, 1e9)
    before, gap, _ = course.evidence
    assert gap == before


def test_much_evidence_is_still_a_number() -> None:
    course = follow(counts_of([60] * 500, 60), constant_lines(0.02), ALERT_AT)
    assert np.isfinite(course.evidence).all()
    assert [i.onset for i in course.incidents] == [0]


def test_the_budget_is_shared_by_the_monitors() -> None:
    assert threshold(1) == 672
    assert threshold(15) == 10_080


def test_an_incident_lasts_as_long_as_its_own_line_is_crossed() -> None:
    """The other three lines look normal all the time."""
    counts = counts_of([6] * 60, 60)
    counts.bad[:, 0, 3] = 20
    course = follow(counts, constant_lines(0.12), ALERT_AT)
    assert [(i.level, i.resolved) for i in course.incidents] == [(3, None)]


def test_counts_that_vary_more_weigh_less() -> None:
    lines, counts = constant_lines(0.1), counts_of([5, 12, 20], 60)
    varied = replace(lines, effect=np.full(4, 2.5))
    assert hourly_ratios(counts, varied) * 2.5 == pytest.approx(hourly_ratios(counts, lines))

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from alerts.lines import LEVELS, Line, Lines, count, learn
from tailwatch.alert import ALL_TRAFFIC, Direction, Segment
from tests.alerts.samples import hour

UP, DOWN = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
SMALL, LARGE = Segment(field="feature", value="small"), Segment(field="feature", value="large")


def lines_of(values: list[float], direction: Direction = UP) -> Lines:
    learned = learn({ALL_TRAFFIC: [hour(0, values)]}, direction)
    assert learned is not None
    return learned


def drawn(values: list[float], direction: Direction = UP) -> list[tuple[float, bool]]:
    found = lines_of(values, direction).lines[0]
    return [(line.score, line.inclusive) for line in found if line is not None]


FIVE_LEVELS = [0.0] * 10 + [0.25] * 50 + [0.5] * 140 + [0.75] * 300 + [1.0] * 500


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        # bad shares 1 %, 6 %, 6 %, 20 %: the nearer one on a log scale, whichever side it is on
        (FIVE_LEVELS, UP, [(0.25, False), (0.25, True), (0.5, False), (0.75, False)]),
        (
            [1 - v for v in FIVE_LEVELS],
            DOWN,
            [(0.75, False), (0.75, True), (0.5, False), (0.25, False)],
        ),
        # pass/fail, 5 % failed: every line counts the failures
        ([0.0] * 50 + [1.0] * 950, UP, [(0.0, True), (0.0, True), (1.0, False), (1.0, False)]),
        # nothing ever failed
        ([1.0] * 1000, UP, [(1.0, False)] * 4),
        # no ties: the share itself
        (list(range(1000)), UP, [(19.0, True), (49.0, True), (99.0, True), (249.0, True)]),
    ],
)
def test_where_the_lines_are(
    values: list[float], direction: Direction, expected: list[tuple[float, bool]]
) -> None:
    assert drawn(values, direction) == expected


@pytest.mark.parametrize(
    ("direction", "inclusive", "bad"),
    [(UP, True, 2), (UP, False, 1), (DOWN, True, 3), (DOWN, False, 2)],
)
def test_what_is_beyond_a_line(direction: Direction, inclusive: bool, bad: int) -> None:
    line = Line(score=0.5, inclusive=inclusive, direction=direction)
    assert line.bad(np.array([0.0, 0.5, 0.75, 1.0])) == bad


def test_the_tolerated_share_is_the_exact_upper_limit_or_a_tenth_more() -> None:
    few, many = [0.0] * 50 + [1.0] * 950, [0.0] * 50_000 + [1.0] * 950_000
    limit = stats.binomtest(50, 1000).proportion_ci(0.98, method="exact").high
    assert lines_of(few).tolerated[0] == pytest.approx(limit)
    assert lines_of(many).tolerated[0] == pytest.approx(1.1 * lines_of(many).usual[0])


@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.sampled_from([UP, DOWN]))
def test_a_line_can_always_be_crossed_and_never_by_most(
    outputs_by_level: list[int], direction: Direction
) -> None:
    assume(sum(outputs_by_level) >= 500)
    values = [float(level) for level, n in enumerate(outputs_by_level) for _ in range(n)]
    learned = lines_of(values, direction)
    assert learned.tolerated.shape == (2, len(LEVELS))
    assert ((learned.usual < learned.tolerated) & (learned.tolerated < 1)).all()
    assert (learned.usual <= 0.5).all()


def test_below_500_outputs_there_is_no_baseline() -> None:
    assert learn({ALL_TRAFFIC: [hour(0, [1.0] * 499)]}, UP) is None
    assert learn({}, UP) is None


def test_a_small_segment_uses_the_lines_of_all() -> None:
    baseline = {
        LARGE: [hour(0, list(range(1000)), segment=LARGE)],
        SMALL: [hour(0, [5.0] * 50, segment=SMALL)],
    }
    learned = learn(baseline, UP)
    assert learned is not None
    assert learned.segments == (LARGE,)
    new = Segment(field="feature", value="new")
    counts = count(
        {SMALL: [hour(1, [0.0], segment=SMALL)], new: [hour(1, [0.0], segment=new)]},
        learned.segments,
        learned.lines,
    )
    assert counts.bad[0, 0].tolist() == [0] * 4
    assert counts.bad[0, 1].tolist() == [2] * 4


def test_the_first_level_needs_500_outputs_of_its_own() -> None:
    baseline = {
        LARGE: [hour(0, list(range(1000)), segment=LARGE)],
        SMALL: [hour(0, list(range(300)), segment=SMALL)],
    }
    learned = learn(baseline, UP)
    assert learned is not None
    assert [line is None for line in learned.lines[1]] == [True, False, False, False]
    counts = count({SMALL: [hour(1, [0.0], segment=SMALL)]}, learned.segments, learned.lines)
    assert counts.n[0, 1].tolist() == [0, 1, 1, 1]


def test_hours_that_differ_make_the_effect_larger() -> None:
    alike = [hour(i, [0.0] * 5 + [1.0] * 95) for i in range(48)]
    varied = [hour(i, [0.0] * (i % 2) * 10 + [1.0] * (100 - 10 * (i % 2))) for i in range(48)]
    days = [hour(i, [0.0] * (i // 24) * 10 + [1.0] * (100 - 10 * (i // 24))) for i in range(48)]
    learned = [learn({ALL_TRAFFIC: hours}, UP) for hours in (alike, varied, days)]
    even, hourly, daily = (lines.effect[0] for lines in learned if lines is not None)
    assert even == 1
    assert hourly == pytest.approx(25 / (0.05 * 0.95 * 100) * 48 / 47, rel=0.01)
    assert daily > 4 * hourly

"""Simulated streams: what is drawn looks like the baseline, and the rule finds what was planted."""

from datetime import timedelta

import numpy as np
import pytest

from alerts.expectation import Delay, expect
from alerts.resampling import Outputs, Resampled, Turned
from alerts.rules.tail_evidence import TailEvidence, tail_evidence
from alerts.simulation import counted, play
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tailwatch.evaluation import Series

SERIES = Series(evaluator="faithfulness", version="1", judge="judge-small")
SEARCH = Segment(field="feature", value="search")
SETUP = Segment(field="feature", value="setup")
PER_HOUR, HOURS = 20, 168


def rule(**options: object) -> TailEvidence:
    made = tail_evidence("tail", options)
    assert isinstance(made, TailEvidence)
    return made


def outputs(direction: Direction = Direction.HIGHER_IS_BETTER) -> Outputs:
    """A week of scores around 0.8; a quarter of them is of the feature setup."""
    random = np.random.default_rng(3)
    size = PER_HOUR * HOURS
    scores = random.beta(8, 2, size)
    return Outputs(
        series=SERIES,
        direction=direction,
        fields=("feature",),
        scores=scores if direction is Direction.HIGHER_IS_BETTER else 1 - scores,
        weights=np.ones(size),
        hours=np.repeat(np.arange(HOURS), PER_HOUR),
        values=np.where(random.random(size) < 0.25, "setup", "search").astype(object)[None, :],
    )


def test_a_drawn_hour_holds_outputs_of_the_baseline_with_their_segments() -> None:
    pool = outputs()
    segment_of = dict(zip(pool.scores.tolist(), pool.values[0], strict=True))

    hours = list(Resampled(pool).hours(np.random.default_rng(1), 48, per_hour=30))

    assert [hour[ALL_TRAFFIC].window.start for hour in hours] == [
        hours[0][ALL_TRAFFIC].window.start + i * timedelta(hours=1) for i in range(48)
    ]
    for hour in hours:
        assert len(hour[ALL_TRAFFIC].values) == 30
        for segment in (SEARCH, SETUP):
            found: list[float] = list(hour[segment].values) if segment in hour else []
            assert found == [
                score for score in hour[ALL_TRAFFIC].values if segment_of[score] == segment.value
            ]


def test_without_a_number_an_hour_has_as_many_outputs_as_the_baseline_had() -> None:
    hours = list(Resampled(outputs()).hours(np.random.default_rng(1), 24))

    assert {len(hour[ALL_TRAFFIC].values) for hour in hours} == {PER_HOUR}


@pytest.mark.parametrize("direction", list(Direction))
def test_outputs_that_turn_bad_score_as_the_worst_of_the_baseline(direction: Direction) -> None:
    pool = outputs(direction)
    turned = Turned(share=1.0, segment=SETUP)

    hours = list(
        Resampled(pool).hours(np.random.default_rng(1), 20, per_hour=50, turned=turned, change=10)
    )

    worst = np.sort(pool.scores if direction is Direction.HIGHER_IS_BETTER else -pool.scores)
    limit = worst[int(np.ceil(0.01 * len(worst))) - 1]
    sign = 1 if direction is Direction.HIGHER_IS_BETTER else -1
    after = [sign * score for hour in hours[10:] for score in hour[SETUP].values]
    before = [sign * score for hour in hours[:10] for score in hour[SETUP].values]
    assert max(after) <= limit
    assert max(before) > limit


def test_outputs_of_unequal_weight_are_drawn_in_proportion() -> None:
    pool = outputs()
    pool.weights[:] = np.where(pool.values[0] == "setup", 9.0, 1.0)

    drawn = list(Resampled(pool).hours(np.random.default_rng(1), 100, per_hour=100))

    setup = sum(len(hour[SETUP].values) for hour in drawn) / 10_000
    assert setup == pytest.approx(9 * 0.25 / (9 * 0.25 + 0.75), abs=0.03)


def family_hours(
    turned: Turned | None, change: int = 24, count: int = 96
) -> tuple[dict[Segment, list[ScoreSample]], list[dict[Segment, ScoreSample]]]:
    resampled, random = Resampled(outputs()), np.random.default_rng(5)
    cells: dict[Segment, list[ScoreSample]] = {}
    for hour in resampled.hours(random, HOURS, per_hour=60):
        for segment, sample in hour.items():
            cells.setdefault(segment, []).append(sample)
    after = resampled.hours(random, count, per_hour=60, skip=HOURS, turned=turned, change=change)
    return cells, [dict(hour) for hour in after]


def test_a_planted_regression_is_one_incident_with_its_onset() -> None:
    cells, hours = family_hours(Turned(share=0.25))
    family = rule().learn(cells, Direction.HIGHER_IS_BETTER)
    assert family is not None

    (life,) = play([counted(SERIES, family, hours)], rule().budget(3))

    assert len(life.opened) == 1
    assert 24 < life.opened[0] <= 28
    assert abs(life.onsets[0] - 24) <= 2
    assert not life.resolved


def test_trials_do_not_meddle_with_one_another() -> None:
    quiet_cells, quiet = family_hours(None)
    cells, hours = family_hours(Turned(share=0.25))
    families = [rule().learn(c, Direction.HIGHER_IS_BETTER) for c in (quiet_cells, cells)]
    trials = [
        counted(SERIES, family, of)
        for family, of in zip(families, (quiet, hours), strict=True)
        if family is not None
    ]

    together = play(trials, rule().budget(3))

    alone = [play([trial], rule().budget(3))[0] for trial in trials]
    assert [life.opened for life in together] == [life.opened for life in alone]
    for one, other in zip(together, alone, strict=True):
        assert all(
            np.array_equal(one.evidence[segment], other.evidence[segment])
            for segment in one.evidence
        )


def test_a_trial_without_hours_is_refused() -> None:
    cells, _ = family_hours(None)
    family = rule().learn(cells, Direction.HIGHER_IS_BETTER)
    assert family is not None

    with pytest.raises(ValueError, match="no hours"):
        counted(SERIES, family, [])


def test_what_to_expect_is_the_same_for_the_same_seed_and_sooner_with_more_outputs() -> None:
    def asked(per_hour: int, seed: int = 1) -> list[Delay]:
        found = expect(
            outputs(),
            rule(),
            rule().budget(3),
            per_hour=per_hour,
            regressions=(Turned(share=0.08), Turned(share=0.5, segment=SETUP)),
            weeks=1,
            trials=2,
            seed=seed,
        )
        assert found is not None
        assert found.weeks == 2
        return list(found.delays)

    few, again, many = asked(15), asked(15), asked(80)

    assert few == again
    for slow, quick in zip(few, many, strict=True):
        median, sooner = slow.quantile(0.5), quick.quantile(0.5)
        assert sooner is not None
        assert median is None or sooner <= median


def test_a_volume_that_never_makes_a_baseline_is_not_simulated() -> None:
    greedy = rule(min_scored=3000)

    found = expect(
        outputs(),
        greedy,
        greedy.budget(3),
        per_hour=1,
        regressions=(),
        weeks=1,
        trials=1,
        seed=0,
    )

    assert found is None


@pytest.mark.parametrize(
    ("hours", "share", "expected"),
    [
        ((3, 1, 2), 0.5, 2),
        ((3, 1, 2, None), 0.5, 2),
        ((3, 1, None, None), 0.9, None),
        ((), 0.5, None),
    ],
)
def test_hours_to_the_alert_count_the_missed_ones_as_never(
    hours: tuple[int | None, ...], share: float, expected: int | None
) -> None:
    assert Delay(turned=Turned(share=0.1), hours=hours).quantile(share) == expected

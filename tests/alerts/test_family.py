"""The monitors of a series: who has lines of its own, and what all traffic adds up from."""

import json

import numpy as np
import pytest

from alerts.family import Family, learn_family, without
from alerts.family_document import document_of, family_of
from alerts.improvement import improved_since
from alerts.lines import Counts
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tests.alerts.samples import hour, start_of

UP = Direction.HIGHER_IS_BETTER
BIG, OTHER, SMALL, NEW = (
    Segment(field="feature", value=value) for value in ("big", "other", "small", "new")
)
V1 = Segment(field="version", value="1")
N = {BIG: 60, OTHER: 30, SMALL: 5}
BAD = {BIG: 0.05, OTHER: 0.3, SMALL: 0.6}


def values(random: np.random.Generator, segment: Segment) -> list[float]:
    bad = random.random(N[segment]) < BAD[segment]
    return [float(x) for x in np.round(np.where(bad, 0.2, 0.8) + random.random(N[segment]) / 10, 3)]


def samples(hours: int, seed: int = 1) -> dict[Segment, list[ScoreSample]]:
    """Three features, one version of everything, and ten outputs of no feature."""
    random = np.random.default_rng(seed)
    found: dict[Segment, list[ScoreSample]] = {}
    for i in range(hours):
        by_segment = {segment: values(random, segment) for segment in N}
        everything = [x for scores in by_segment.values() for x in scores] + [0.85] * 10
        for segment, scores in {**by_segment, V1: everything, ALL_TRAFFIC: everything}.items():
            found.setdefault(segment, []).append(hour(i, scores, segment=segment))
    return found


@pytest.fixture(scope="module")
def family() -> Family:
    learned = learn_family(samples(30), UP)
    assert learned is not None
    return learned


def test_all_traffic_adds_up_from_the_field_that_splits_it(family: Family) -> None:
    assert family.partition == "feature"
    assert family.cells(ALL_TRAFFIC) == (BIG, OTHER, ALL_TRAFFIC)
    assert family.cells(V1) == (V1,)
    assert list(family.monitors) == [ALL_TRAFFIC, BIG, OTHER, SMALL, V1]


def test_every_output_of_an_hour_is_counted_once_in_all_traffic(family: Family) -> None:
    one = {segment: hours[0] for segment, hours in samples(1, seed=2).items()}
    counts = family.count(one, most_values=20)
    total = sum(counts[cell][1][3] for cell in family.cells(ALL_TRAFFIC))
    assert total == 60 + 30 + 5 + 10
    assert counts[V1][1][3] == total


def test_a_small_segment_that_was_always_worse_is_tolerated_as_such(family: Family) -> None:
    lines = family.lines(SMALL)
    assert (lines.tolerated[0] >= family.project.tolerated[0]).all()
    assert lines.tolerated[0, 3] > 0.6
    assert lines.lines == family.project.lines


def test_a_value_that_the_baseline_does_not_have_is_compared_with_the_project(
    family: Family,
) -> None:
    one = {segment: hours[0] for segment, hours in samples(1, seed=2).items()}
    one[NEW] = hour(0, [0.2] * 3, segment=NEW)
    assert NEW in family.count(one, most_values=4)
    assert NEW not in family.count(one, most_values=3)
    assert family.lines(NEW) is family.project


def test_the_outputs_that_are_in_no_part() -> None:
    whole, part = hour(0, [1.0, 0.5, 0.5, 0.0]), hour(0, [0.5, 0.0])
    assert list(without(whole, [part]).values) == [1.0, 0.5]


def test_a_family_survives_json(family: Family) -> None:
    back = family_of(json.loads(json.dumps(document_of(family))))
    assert document_of(back) == document_of(family)
    assert back.lines(BIG).lines == family.lines(BIG).lines
    assert (back.lines(BIG).tolerated == family.lines(BIG).tolerated).all()


def test_a_handful_of_outputs_makes_no_monitor() -> None:
    baseline = samples(30)
    baseline[NEW] = [hour(0, [0.2] * 19, segment=NEW)]
    learned = learn_family(baseline, UP)
    assert learned is not None
    assert NEW not in learned.monitors


def test_too_few_outputs_are_no_baseline() -> None:
    assert learn_family(samples(4), UP) is None
    assert learn_family(samples(4), UP, least=100) is not None


@pytest.mark.parametrize(("share", "improved"), [(1.0, False), (0.9, False), (0.3, True)])
def test_a_lasting_improvement_shows_on_mirrored_counts(
    family: Family, share: float, improved: bool
) -> None:
    lines, random = family.lines(BIG), np.random.default_rng(3)
    n = np.full((200, *lines.usual.shape), 60.0)
    shares = np.where(np.arange(200)[:, None, None] < 50, 1.0, share) * lines.usual
    counts = Counts(
        starts=tuple(start_of(i) for i in range(200)),
        bad=random.binomial(60, shares).astype(np.float64),
        n=n,
    )
    since = improved_since(counts, lines, 10_000)
    assert (since is not None) is improved
    if since is not None:
        assert abs((since - start_of(50)).total_seconds()) <= 24 * 3600

"""Bridges: differences of pairs with their limits, back from JSON, and too few said to be so."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.bridge import bridge, bridge_line, bridge_lines, bridge_of
from tailwatch.alert import Direction

HIGHER, LOWER = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
scores = st.sampled_from([0.0, 0.3, 0.7, 1.0])


@settings(max_examples=25)
@given(st.lists(st.tuples(scores, scores), min_size=30, max_size=80))
def test_a_bridge_back_is_the_same_bridge_mirrored(pairs: list[tuple[float, float]]) -> None:
    old, new = [p[0] for p in pairs], [p[1] for p in pairs]
    there, back = bridge(old, new, HIGHER, 0.5), bridge(new, old, HIGHER, 0.5)
    assert there.difference.value == pytest.approx(-(back.difference.value or 0), abs=1e-12)
    assert there.bad_difference.low == pytest.approx(-(back.bad_difference.high or 0), abs=1e-12)
    assert (there.same, there.old_tail) == (back.same, back.new_tail)
    assert there.difference.low is not None
    assert there.difference.high is not None
    assert there.difference.low - 1e-9 <= (there.difference.value or 0)
    assert (there.difference.value or 0) <= there.difference.high + 1e-9


def test_what_is_the_same_differs_by_nothing() -> None:
    same = [0.0, 0.5, 1.0] * 20
    found = bridge(same, same, HIGHER, 0.5)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.same.value == 1
    assert found.old_bad.value == pytest.approx(1 / 3)


def test_the_limits_cover_a_shift() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        old = random.random(100)
        new = old - 0.1 + random.normal(scale=0.2, size=100)
        found = bridge(old.tolist(), new.tolist(), HIGHER, 0.5).difference
        hits += (found.low or 0) <= -0.1 <= (found.high or 0)
    assert hits >= 52


def test_the_tail_is_the_bad_end() -> None:
    values = [i / 100 for i in range(100)]
    assert bridge(values, values, HIGHER, 0.5).old_tail.value == pytest.approx(0.09)
    lower = bridge(values, values, LOWER, 0.5)
    assert lower.old_tail.value == pytest.approx(0.89)
    assert lower.old_bad.value == pytest.approx(0.49)


@pytest.mark.parametrize("n", [0, 1, 29, 60])
def test_a_bridge_comes_back_from_json_and_can_be_told(n: int) -> None:
    found = bridge([0.5] * n, [1.0] * n, HIGHER, 0.7)
    assert bridge_of(json.loads(json.dumps(found.document()))) == found
    assert (found.difference.value is None) == (n < 30)
    assert ("not enough" in bridge_line(found)) == (n < 30)
    assert len(bridge_lines(found)) == 4


def test_pairs_are_pairs() -> None:
    with pytest.raises(ValueError, match="must be pairs"):
        bridge([1.0], [], HIGHER, 0.5)

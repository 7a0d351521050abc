"""Flags follow from the listing; places go to buckets by the stated rules and nest."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailwatch.buckets import (
    MOST_FLAGGED,
    UsualLength,
    flagged_places,
    flags,
    neyman_share,
)
from tailwatch.trace import Feedback, FeedbackKind, Status
from tests.builders import make_ref, make_trace

USUAL = UsualLength(low=20, high=400)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"status": Status.ERROR}, True),
        ({"error_type": "timeout"}, True),
        ({"output_tokens": 19}, True),
        ({"output_tokens": 20}, False),
        ({"output_tokens": 400}, False),
        ({"output_tokens": 401}, True),
        ({"output_tokens": None}, False),
        ({"feedback": (Feedback(kind=FeedbackKind.THUMB, value=-1.0),)}, True),
        ({"feedback": (Feedback(kind=FeedbackKind.THUMB, value=1.0),)}, False),
        ({"feedback": (Feedback(kind=FeedbackKind.RETRY),)}, True),
    ],
)
def test_what_is_flagged(fields: dict[str, object], expected: bool) -> None:
    assert flags(make_ref(**fields), USUAL) is expected


def test_no_length_is_odd_without_a_usual_one() -> None:
    assert not flags(make_trace(output_tokens=10_000).ref, None)


sizes = st.integers(1, 300)
shares = st.none() | st.floats(0, 1)


@given(sizes, sizes, shares, st.data())
def test_places_fit_their_buckets_and_nest(
    flagged: int, normal: int, share: float | None, data: st.DataObject
) -> None:
    if flagged + normal < 5:
        return
    budget = data.draw(st.integers(3, flagged + normal - 2))
    places = flagged_places(budget, flagged, normal, share)
    more = flagged_places(budget + 1, flagged, normal, share)
    assert 1 <= places <= flagged
    assert 1 <= budget - places <= normal
    assert more - places in (0, 1)


@given(sizes, sizes, shares, st.data())
def test_the_caps_hold(flagged: int, normal: int, share: float | None, data: st.DataObject) -> None:
    total = flagged + normal
    if total < 5:
        return
    budget = data.draw(st.integers(4, total - 1))
    places = flagged_places(budget, flagged, normal, share)
    assert places <= max(1, math.ceil(budget * max(MOST_FLAGGED, flagged / total)))
    assert (budget - places) / normal >= 0.4 * budget / total


@pytest.mark.parametrize(
    ("budget", "flagged", "share", "expected"),
    [
        (100, 50, None, 10),  # a tenth of 500 traces
        (100, 50, 0.0, 10),
        (100, 50, 0.05, 10),  # never fewer than in proportion
        (100, 50, 0.25, 25),
        (90, 50, 0.9, 30),  # at most a third
        (100, 20, 0.3, 20),  # there are no more
        (100, 1, None, 1),
        (10, 1, None, 1),  # always one
    ],
)
def test_places(budget: int, flagged: int, share: float | None, expected: int) -> None:
    assert flagged_places(budget, flagged, 500 - flagged, share) == expected


@pytest.mark.parametrize(
    ("sensitivity", "false_flags", "oversampled"),
    [(0.30, 0.08, False), (0.50, 0.06, False), (0.75, 0.05, True), (0.0, 0.1, False)],
)
def test_only_good_flags_get_more_than_their_share(
    sensitivity: float, false_flags: float, oversampled: bool
) -> None:
    """Weak, medium, strong and useless flags, when a tenth of the outputs is bad."""
    bad = 0.1
    share = bad * sensitivity + (1 - bad) * false_flags
    found = neyman_share(share, bad * sensitivity / share, bad * (1 - sensitivity) / (1 - share))
    assert (found is not None) == oversampled
    if found is not None:
        assert share < found <= MOST_FLAGGED


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_share_is_one_that_a_design_accepts(w: float, p_flagged: float, p: float) -> None:
    found = neyman_share(w, p_flagged, p)
    assert found is None or w < found <= MOST_FLAGGED

"""Windows are half-open, in UTC, and taken from the scheduled time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailwatch.window import HOUR, Window, floor_hour
from tests.builders import START, at

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zones itself
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
    allow_imaginary=False,
)


def test_the_end_belongs_to_the_next_window() -> None:
    window = Window(START, START + HOUR)
    assert START in window
    assert START + HOUR - timedelta(microseconds=1) in window
    assert START + HOUR not in window


@pytest.mark.parametrize("end", [START, START - HOUR])
def test_an_empty_window_is_refused(end: datetime) -> None:
    with pytest.raises(ValueError, match="is not after"):
        Window(START, end)


def test_naive_times_are_refused() -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(ValueError, match="no time zone"):
        Window(naive, naive + HOUR)
    with pytest.raises(ValueError, match="no time zone"):
        floor_hour(naive)


@given(moments)
def test_every_moment_lies_in_its_hour(moment: datetime) -> None:
    hour = Window.hour_of(moment)
    assert moment in hour
    assert hour.end - hour.start == HOUR
    assert (hour.start.minute, hour.start.second, hour.start.tzinfo) == (0, 0, UTC)


@given(moments, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_the_settled_hour_is_the_newest_that_ended_long_enough_ago(
    scheduled: datetime, settle: timedelta
) -> None:
    window = Window.last_settled(scheduled, settle)
    scheduled = scheduled.astimezone(UTC)
    assert window.end + settle <= scheduled < window.end + HOUR + settle


@pytest.mark.parametrize(("minutes", "hour"), [(9, -2), (10, -1), (69, -1), (70, 0)])
def test_a_run_takes_the_hour_that_has_settled(minutes: int, hour: int) -> None:
    window = Window.last_settled(at(minutes), timedelta(minutes=10))
    assert window.start == START + hour * HOUR


@pytest.mark.parametrize(
    ("start", "end", "hours"), [(0, 60, 1), (0, 61, 2), (59, 61, 2), (30, 31, 1), (0, 1440, 24)]
)
def test_hours_cover_the_window(start: int, end: int, hours: int) -> None:
    touched = list(Window(at(start), at(end)).hours())
    assert len(touched) == hours
    assert all(a.end == b.start for a, b in pairwise(touched))
    assert at(start) in touched[0]
    assert at(end) - timedelta(microseconds=1) in touched[-1]


def test_clocks_put_forward_do_not_move_the_settled_hour() -> None:
    scheduled = datetime(2026, 3, 29, 3, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    window = Window.last_settled(scheduled, timedelta(hours=1))
    assert window.end == datetime(2026, 3, 29, 0, 0, tzinfo=UTC)

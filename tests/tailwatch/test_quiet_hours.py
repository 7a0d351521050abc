"""Quiet hours are hours on the clocks of their time zone."""

from datetime import UTC, datetime

import pytest

from tailwatch.quiet_hours import QuietHours, quiet_hours


def parsed(text: str) -> QuietHours:
    found = quiet_hours(text)
    assert isinstance(found, QuietHours)
    return found


@pytest.mark.parametrize(
    ("text", "moment", "quiet"),
    [
        ("22:00-07:00 UTC", "2026-03-02T21:59", False),
        ("22:00-07:00 UTC", "2026-03-02T22:00", True),
        ("22:00-07:00 UTC", "2026-03-03T06:59", True),
        ("22:00-07:00 UTC", "2026-03-03T07:00", False),
        ("12:00 - 13:30 UTC", "2026-03-03T13:29", True),
        ("12:00 - 13:30 UTC", "2026-03-03T13:30", False),
        ("22:00-07:00 Europe/Berlin", "2026-03-28T20:30", False),  # 21:30 in Berlin, winter
        ("22:00-07:00 Europe/Berlin", "2026-03-29T20:30", True),  # 22:30 there, summer
    ],
)
def test_a_moment_is_in_them_or_not(text: str, moment: str, quiet: bool) -> None:
    assert (datetime.fromisoformat(moment).replace(tzinfo=UTC) in parsed(text)) is quiet


def test_they_are_written_as_they_are_read() -> None:
    assert str(parsed("9:05-17:00 Asia/Tokyo")) == "09:05-17:00 Asia/Tokyo"
    assert quiet_hours(None) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("22-7 UTC", "are not quiet hours"),
        ("22:00-07:00", "as in 22:00-07:00 Europe/Berlin"),
        ("22:00-24:30 UTC", "no clock shows"),
        ("22:00-22:00 UTC", "begin and end at 22:00"),
        ("22:00-07:00 Mars/Base", "'Mars/Base' is not a time zone"),
        ("22:00-07:00 ../../etc/passwd", "is not a time zone"),
    ],
)
def test_others_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        quiet_hours(text)

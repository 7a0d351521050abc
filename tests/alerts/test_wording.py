from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import wording
from tailwatch.alert import Quantile
from tailwatch.printable import printable
from tests.alerts.samples import start_of


@given(st.text(), st.integers(1, 50))
def test_printable_text_is_one_short_line_that_steers_nothing(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) == min(len(text), limit)
    assert printable(shown, limit) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer, 中文", "plain, größer, 中文"),
        ("two\nlines\tand\u00a0blanks", "two lines and blanks"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("abc\u202etxt", "abc\ufffdtxt"),
        ("\ud800", "\ufffd"),
        ("123456789012", "123456789…"),
    ],
)
def test_what_printable_makes_of(text: str, shown: str) -> None:
    assert printable(text, 10 if text.isdigit() else 200) == shown


def test_a_limit_leaves_room_for_something() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        printable("text", 0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.45, "0.45"), (12345.6, "12,346"), (0.00042, "0.00042"), (4, "4"), (-0.5, "-0.5")],
)
def test_numbers(value: float, shown: str) -> None:
    assert wording.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.1, "10 %"), (62 / 311, "19.9 %"), (1, "100 %")]
)
def test_percents(share: float, shown: str) -> None:
    assert wording.percent(share) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(0.0004, "p = 0.0004"), (1.9e-7, "p = 2e-07"), (0.0, "p < 1e-300")]
)
def test_p_values(p: float, shown: str) -> None:
    assert wording.p_value(p) == shown


@pytest.mark.parametrize(
    ("minutes", "shown"), [(40, "40 min"), (300, "5 h"), (1440, "24 h"), (7200, "5 d")]
)
def test_lengths(minutes: float, shown: str) -> None:
    assert wording.length(timedelta(minutes=minutes)) == shown


def test_moments_name_the_day_the_hour_and_the_zone() -> None:
    assert wording.moment(start_of(0)) == "Mon 2 Mar 10:00 UTC"
    assert wording.moment(start_of(0), start_of(24)) == "Mon 2 Mar 10:00 UTC"
    assert wording.moment(start_of(0), start_of(24 * 366)) == "Mon 2 Mar 2026 10:00 UTC"


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.31, 0.27, 0.36, "P10 is 0.31 (95 % interval 0.27 to 0.36)"),
        (0.31, None, 0.36, "P10 is 0.31 (95 % upper limit 0.36, too few for a lower one)"),
        (0.31, 0.27, None, "P10 is 0.31 (95 % lower limit 0.27, too few for an upper one)"),
        (0.31, None, None, "P10 is 0.31 (too few for limits)"),
        (None, None, None, "P10 needs more data"),
    ],
)
def test_quantiles(value: float | None, low: float | None, high: float | None, shown: str) -> None:
    q = Quantile(probability=0.1, value=value, low=low, high=high)
    assert wording.quantile(q) == shown

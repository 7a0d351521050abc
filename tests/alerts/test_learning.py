"""How far a baseline is."""

import pytest

from alerts.learning import progress
from tailwatch.window import Window
from tests.alerts.samples import start_of


@pytest.mark.parametrize(
    ("by_hour", "until", "said", "complete_at"),
    [
        ({}, 0, "learning: 0 of 100 scored outputs, 0 of 2 days", None),
        ({0: 30, 23: 30}, 23, "learning: 30 of 100 scored outputs, 0 of 2 days", None),
        ({0: 30, 30: 30}, 47, "learning: 60 of 100 scored outputs, 1 of 2 days", None),
        ({0: 90, 30: 30}, 48, "learning: 120 of 100 scored outputs, 2 of 2 days", 48),
        # enough days and too few outputs; a day without any does not count
        ({0: 30, 30: 30}, 72, "learning: 60 of 100 scored outputs, 2 of 2 days", None),
        ({0: 90, 50: 30}, 48, "learning: 90 of 100 scored outputs, 1 of 2 days", None),
        ({0: 90, 50: 30}, 90, "learning: 120 of 100 scored outputs, 2 of 2 days", 72),
    ],
)
def test_days_with_data_and_scored_outputs(
    by_hour: dict[int, int], until: int, said: str, complete_at: int | None
) -> None:
    scored = {start_of(hour): n for hour, n in by_hour.items()}
    reached = progress(scored, start_of(0), start_of(until), days=2, min_scored=100)
    assert str(reached) == said
    expected = None if complete_at is None else Window(start_of(0), start_of(complete_at))
    assert reached.window == expected

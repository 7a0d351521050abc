"""Traffic of the demo's assistant in which nothing is wrong, by the commands that people type."""

from pathlib import Path

import pytest

from benchmarks.quiet_month import quiet_weeks


@pytest.mark.timeout(600)
def test_days_in_which_nothing_is_wrong_raise_nothing(tmp_path: Path) -> None:
    """Two days after a week's baseline, at a fifth of the volume; `benchmarks.quiet_month`
    is the same for months and other seeds.
    """
    found = quiet_weeks(tmp_path, seed=5, days=9, scale=0.2)

    assert found.traces > 700
    assert found.monitors > 50
    assert found.alerts == []

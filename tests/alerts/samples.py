"""Hours of scores, for the tests of the alert statistics."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tailwatch.alert import ALL_TRAFFIC, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import Window
from tests.builders import START

SERIES = Series(evaluator="lexical_support", version="1")
SEARCH = Segment(field="feature", value="search")


def hour(
    index: int,
    values: Sequence[float] = (),
    *,
    skipped: int = 0,
    failed: int = 0,
    series: Series = SERIES,
    segment: Segment = ALL_TRAFFIC,
) -> ScoreSample:
    """The sample of the hour that starts `index` hours after START."""
    return ScoreSample(
        series=series,
        segment=segment,
        window=Window.hour_of(start_of(index)),
        values=values,
        skipped=skipped,
        failed=failed,
    )


def start_of(index: int) -> datetime:
    return START + timedelta(hours=index)


def scored(bad: int, n: int) -> list[float]:
    """`n` scores, `bad` of them 0 and the rest 1."""
    return [0.0] * bad + [1.0] * (n - bad)

"""How far the learning of a baseline is: so many days, so many scored outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tailwatch.window import Window

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a baseline has of what it needs; `window` is the time it is learned from, once known."""

    scored: int
    min_scored: int
    days: int
    min_days: int
    window: Window | None = None

    def __str__(self) -> str:
        return (
            f"learning: {self.scored:,} of {self.min_scored:,} scored outputs, "
            f"{self.days} of {self.min_days} days"
        )


def progress(
    scored: Mapping[datetime, int],
    since: datetime,
    until: datetime,
    *,
    days: int,
    min_scored: int,
) -> Progress:
    """How far it is at `until`, from the number of scored outputs by hour.

    Days are counted from `since`, 24 hours each; those without a scored output do not count. The
    window is the shortest one of whole days that has enough of both.
    """
    outputs, with_data, end = 0, 0, since
    by_day: dict[int, int] = {}
    for hour, n in scored.items():
        if since <= hour < until:
            by_day[(hour - since) // DAY] = by_day.get((hour - since) // DAY, 0) + n
    while end + DAY <= until:
        today = by_day.get((end - since) // DAY, 0)
        outputs, with_data, end = outputs + today, with_data + bool(today), end + DAY
        if with_data >= days and outputs >= min_scored:
            return Progress(
                scored=outputs,
                min_scored=min_scored,
                days=with_data,
                min_days=days,
                window=Window(since, end),
            )
    return Progress(
        scored=outputs + by_day.get((end - since) // DAY, 0),
        min_scored=min_scored,
        days=with_data,
        min_days=days,
    )

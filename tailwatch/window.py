"""Windows: half-open intervals of UTC time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The interval [start, end) in aware UTC time.

    Raises ValueError for naive times and for an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if value.tzinfo is None:
                raise ValueError(
                    f"window {name} {value.isoformat()} has no time zone; add Z or +hh:mm"
                )
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            raise ValueError(
                f"window end {self.end.isoformat()} is not after {self.start.isoformat()}"
            )

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def hour_of(cls, moment: datetime) -> "Window":
        """The clock hour that contains `moment`."""
        start = floor_hour(moment)
        return cls(start, start + HOUR)

    @classmethod
    def last_settled(cls, scheduled: datetime, settle: timedelta) -> "Window":
        """The newest whole hour that ended at least `settle` before the scheduled time of a run.

        A retry an hour late asks with the same scheduled time and so gets the same hour.
        """
        end = floor_hour(_utc(scheduled) - settle)
        return cls(end - HOUR, end)

    def hours(self) -> Iterator["Window"]:
        """The clock hours that the window touches, oldest first, whole."""
        hour = Window.hour_of(self.start)
        while hour.start < self.end:
            yield hour
            hour = Window(hour.end, hour.end + HOUR)


def floor_hour(moment: datetime) -> datetime:
    """The start of the UTC clock hour that contains `moment`."""
    return _utc(moment).replace(minute=0, second=0, microsecond=0)


def _utc(moment: datetime) -> datetime:
    """In UTC, since subtracting from a local time forgets that clocks are put back and forward."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; add Z or +hh:mm")
    return moment.astimezone(UTC)

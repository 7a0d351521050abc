"""Hours of the day in which people are not to be disturbed."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s+(\S+)")
_ACCEPTED = "write the hours and a time zone, as in 22:00-07:00 Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `start` until before `end` of each day on the clocks of `zone`, also over midnight.

    Raises ValueError when both are the same.
    """

    start: time
    end: time
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"quiet hours begin and end at {self.start:%H:%M}; {_ACCEPTED}")

    def __contains__(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"


def quiet_hours(value: object) -> object:
    """Quiet hours from text such as `22:00-07:00 Europe/Berlin`; anything else is handed on.

    Raises ValueError for text of another form, an impossible time or an unknown time zone.
    """
    if not isinstance(value, str):
        return value
    match = _FORM.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} are not quiet hours; {_ACCEPTED}")
    begin_h, begin_m, end_h, end_m = map(int, match.groups()[:4])
    try:
        start, end = time(begin_h, begin_m), time(end_h, end_m)
    except ValueError:
        raise ValueError(f"{value!r} has a time that no clock shows; {_ACCEPTED}") from None
    try:
        zone = ZoneInfo(match[5])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{match[5]!r} is not a time zone; {_ACCEPTED}") from None
    return QuietHours(start=start, end=end, zone=zone)

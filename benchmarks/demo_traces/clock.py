"""The running time of one trace."""

from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]


class Clock:
    """Steps one after the other from the start of a trace, to the millisecond."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.elapsed_ms = 0

    def spend(self, milliseconds: float) -> Json:
        """The start and end of a step that comes next and takes so long."""
        start = self._at(self.elapsed_ms)
        self.elapsed_ms += max(1, round(milliseconds))
        return {"start_time": start, "end_time": self._at(self.elapsed_ms)}

    def whole(self) -> Json:
        """The start and end of the trace so far."""
        return {"start_time": self._at(0), "end_time": self._at(self.elapsed_ms)}

    def later(self, seconds: float) -> str:
        """A time so many seconds after the trace's end."""
        return self._at(self.elapsed_ms + round(seconds * 1000))

    def _at(self, milliseconds: int) -> str:
        moment = self._start + timedelta(milliseconds=milliseconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

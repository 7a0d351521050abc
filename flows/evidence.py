"""The traces behind an alert."""

from collections.abc import Sequence

from flows.parts import Parts
from storage.records import ScoredTrace
from tailwatch.alert import Alert
from tailwatch.window import HOUR, Window, floor_hour


def worst_traces(parts: Parts, alert: Alert, limit: int) -> Sequence[ScoredTrace]:
    """The worst traces of the alert's series and segment, from its onset to its last check."""
    direction = parts.directions.get(alert.series)
    if direction is None or not limit:
        return ()
    end = alert.resolved_at if alert.state.over else alert.updated_at
    start = floor_hour(alert.onset)
    window = Window(start, max(end or alert.updated_at, start + HOUR))
    return parts.store.worst(
        parts.source.name, alert.series, alert.segment, window, direction, limit
    )

"""Deploys as marks on the timeline: when a prompt version or a model was first in the traffic."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import wording
from flows.parts import Parts
from tailwatch.alert import Alert, Segment
from tailwatch.window import HOUR

DEPLOYED = ("prompt_version", "model")
NEAR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value that was first seen at a time, such as `prompt_version=v3`."""

    segment: Segment
    at: datetime

    def __str__(self) -> str:
        return f"{wording.name(self.segment)} first seen {wording.moment(self.at)}"


def marks(parts: Parts) -> list[Mark]:
    """Every deploy in the stored traffic, oldest first, without what was there from the start."""
    store, source = parts.store, parts.source.name
    first = store.first_window(source)
    found = [
        Mark(segment=Segment(field=field, value=value), at=at)
        for field in DEPLOYED
        for value, at in store.first_seen(source, field).items()
    ]
    start = None if first is None else first.start + 24 * HOUR
    return sorted(
        (mark for mark in found if start is not None and mark.at >= start),
        key=lambda mark: (mark.at, mark.segment),
    )


def marks_near(parts: Parts, alert: Alert) -> list[Mark]:
    """The deploys from a day before the onset of an alert to the hour after it."""
    return [m for m in marks(parts) if alert.onset - NEAR <= m.at <= alert.onset + HOUR]

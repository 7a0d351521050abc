"""Where the monitors stand after an hour, kept so that the hours before are added up only once.

What is kept is a copy of what the stored counts say: it goes when one of its hours is counted
again, and without it everything is added up from the counts.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.detector import Detectors, Ongoing
from flows.parts import Parts
from flows.tail_monitors import Monitor
from storage.records import TailState
from tailwatch.window import HOUR

_ARITHMETIC = 2
"""Changes with what `alerts.detector` makes of the same counts: older scans are no use then."""

_ARRAYS = ("log_m", "cusum", "since", "counts", "evidence", "outputs")


@dataclass(slots=True, kw_only=True)
class Scan:
    """The detectors before `next_hour`."""

    next_hour: datetime
    detectors: Detectors


def scan_key(
    monitors: Sequence[Monitor],
    restarts: Mapping[datetime, Sequence[int]],
    limits: Sequence[datetime],
) -> str:
    """What a kept scan must have been of: the same monitors, started afresh at the same times.

    And sharing their budget with as many `limits`, each since the same hour.
    """
    about = [
        _ARITHMETIC,
        [(m.pinned.record.baseline_id, m.segment.field, m.segment.value) for m in monitors],
        sorted((hour.isoformat(), list(numbers)) for hour, numbers in restarts.items()),
        [hour.isoformat() for hour in limits],
    ]
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=12).hexdigest()


def stored_scan(parts: Parts, key: str, until: datetime) -> Scan | None:
    """The newest kept scan of these monitors that ends before or at `until`."""
    kept = parts.store.tail_state(parts.source.name, key, until)
    if kept is None:
        return None
    arrays = {name: _array(kept.state[name]) for name in _ARRAYS}
    ongoing = {
        int(number): Ongoing(**{**values, "halfway": np.array(values["halfway"])})
        for number, values in kept.state["ongoing"].items()
    }
    return Scan(next_hour=kept.hour + HOUR, detectors=Detectors(**arrays, ongoing=ongoing))


def keep_scan(parts: Parts, key: str, scan: Scan) -> None:
    """Stores a scan under its last hour."""
    state: dict[str, Any] = {name: _packed(getattr(scan.detectors, name)) for name in _ARRAYS}
    state["ongoing"] = {
        str(number): {**asdict(incident), "halfway": incident.halfway.tolist()}
        for number, incident in scan.detectors.ongoing.items()
    }
    parts.store.record_tail_state(
        parts.source.name, TailState(hour=scan.next_hour - HOUR, key=key, state=state)
    )


def _packed(array: NDArray[Any]) -> list[Any]:
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return [array.dtype.str, list(array.shape), text]


def _array(packed: Sequence[Any]) -> NDArray[Any]:
    kind, shape, text = packed
    return np.frombuffer(base64.b64decode(text), dtype=kind).reshape(shape).copy()

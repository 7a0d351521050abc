"""The tail-evidence rule over a plan's monitors: stored counts in, findings of a moment out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.detector import Bank, Detectors, advance
from alerts.family import LEAST_JOINED
from alerts.incidents import Key
from alerts.rules.tail_evidence import learning_finding, quiet_finding
from alerts.tail_sentence import Budget
from flows.baselines import Pinned, settle_baselines
from flows.limit_family import LimitFamily, limit_family
from flows.parts import Parts
from flows.tail_counting import count_tails
from flows.tail_monitors import Monitor, monitors_of
from flows.tail_news import News, hour_number
from flows.tail_scan import Scan, keep_scan, scan_key, stored_scan
from storage.records import TailCount
from tailwatch.alert import ALL_TRAFFIC, Finding
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window, floor_hour

Restarts = Mapping[Key, Collection[datetime]]
"""When people said of a monitor that it is over: what was before does not count any more."""


class TailCheck:
    """The plan's monitors on their way through the hours.

    Opening it learns what baselines can be learned by the last moment, and brings the counts of
    restated hours up to date. Then `at` takes the moments one after another. The plan's `limits`
    share the budget.
    """

    def __init__(
        self,
        parts: Parts,
        moments: Sequence[datetime],
        restarts: Restarts,
        limits: LimitFamily | None = None,
    ) -> None:
        self._parts, self._until = parts, moments[-1]
        self._limits = limits or limit_family(parts, moments[-1])
        self._baselines = settle_baselines(parts, moments)
        count_tails(parts, self._baselines.pinned, self._until)
        self.monitors = monitors_of(parts, self._baselines.pinned)
        self._bank = Bank.of(
            [monitor.lines for monitor in self.monitors],
            [(monitor.series, monitor.segment) for monitor in self.monitors],
        )
        self._rows = _rows(self.monitors)
        self._restarts = _by_hour(self.monitors, restarts)
        self._key = scan_key(self.monitors, self._restarts, self._limits.hours)
        self._scan = self._begin()
        self._counts = self._stored_counts()
        self._known = np.array([m.known for m in self.monitors], dtype=np.bool_)
        self._from = np.array([m.pinned.end.timestamp() for m in self.monitors])
        self._alone = np.array([self._budget(m, 1).alert_at for m in self.monitors])
        self._last_n = np.zeros(len(self.monitors))
        self._news = News(parts, self._until)

    def at(self, moment: datetime, about: Collection[Key] | None = None) -> list[Finding]:
        """The breaches at a moment, and what it finds about the monitors in `about` (None: all)."""
        while self._scan.next_hour < moment:
            self._take(self._scan.next_hour)
        state = self._scan.detectors
        joined, monitors = self._joined(moment), self.family_at(moment)
        findings = []
        for number in np.flatnonzero(joined).tolist():
            monitor = self.monitors[number]
            incident = state.ongoing.get(number)
            if incident is None and about is not None and _key(monitor) not in about:
                continue
            budget, evidence = self._budget(monitor, monitors), float(state.evidence[number])
            findings.append(
                quiet_finding(
                    monitor.rule,
                    monitor.series,
                    monitor.segment,
                    Window(moment - HOUR, moment),
                    evidence,
                    budget,
                    scored=bool(self._last_n[number]),
                )
                if incident is None
                else self._news.finding(monitor, incident, evidence, budget, moment)
            )
        return findings + self._learning(moment)

    @property
    def family_size(self) -> int:
        """How many monitors share the budget by now, limits among them."""
        return self.family_at(self._until)

    def family_at(self, moment: datetime) -> int:
        """How many share it at a moment, which must be the one that was looked at last."""
        return int(np.count_nonzero(self._joined(moment))) + self._limits.size(moment)

    @property
    def pinned(self) -> Mapping[Series, Pinned]:
        """The series that have a baseline."""
        return self._baselines.pinned

    def keep(self) -> None:
        """Stores where the monitors stand, so that the next check begins there."""
        if self.monitors and self._scan.next_hour == floor_hour(self._until):
            keep_scan(self._parts, self._key, self._scan)

    def _take(self, hour: datetime) -> None:
        state = self._scan.detectors
        for number in self._restarts.get(hour, ()):
            state.restart(number)
        bad, n = self._hour_arrays(self._counts.get(hour, ()))
        if self.monitors:
            self._last_n = self._bank.summed(n).max(axis=1)
            joined = self._joined(hour + HOUR)
            alert_at = self._alone * max(1, self.family_at(hour + HOUR))
            advance(
                self._bank,
                state,
                hour_number(hour),
                bad,
                n,
                np.where(joined, alert_at, np.inf),
            )
        self._scan.next_hour = hour + HOUR

    def _joined(self, moment: datetime) -> NDArray[np.bool_]:
        """The family at a moment: what baselines have, and what has had enough outputs since."""
        joined: NDArray[np.bool_] = (self._from < moment.timestamp()) & (
            self._known | (self._scan.detectors.outputs >= LEAST_JOINED)
        )
        return joined

    def _budget(self, monitor: Monitor, monitors: int) -> Budget:
        return monitor.pinned.watched.rule.budget(
            monitors, self._parts.plan.alerts.false_alarm_weeks
        )

    def _begin(self) -> Scan:
        kept = stored_scan(self._parts, self._key, self._until) if self.monitors else None
        if kept is not None:
            return kept
        first = min((m.pinned.end for m in self.monitors), default=self._until)
        return Scan(next_hour=floor_hour(first), detectors=Detectors.start(self._bank))

    def _stored_counts(self) -> Mapping[datetime, Sequence[tuple[str, TailCount]]]:
        if not self.monitors or self._scan.next_hour >= self._until:
            return {}
        ids = {monitor.pinned.record.baseline_id for monitor in self.monitors}
        window = Window(self._scan.next_hour, self._until)
        return self._parts.store.tail_counts(self._parts.source.name, ids, window)

    def _hour_arrays(
        self, counts: Iterable[tuple[str, TailCount]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        bad = np.zeros(self._bank.usual.shape)
        n = np.zeros_like(bad)
        for key, count in counts:
            for row in self._rows.get((key, count.segment), ()):
                bad[row, : len(count.bad)] = count.bad
                n[row, : len(count.n)] = count.n
        return bad, n

    def _learning(self, moment: datetime) -> list[Finding]:
        found = []
        for series, learning in self._baselines.learning.items():
            pinned = self._baselines.pinned.get(series)
            begun = learning.record.decided_at <= moment
            if begun and (pinned is None or pinned.record.decided_at > moment):
                found.append(
                    learning_finding(
                        learning.watched.rule.name,
                        series,
                        ALL_TRAFFIC,
                        Window(moment - HOUR, moment),
                        str(learning.progress(moment)),
                    )
                )
        return found


def _key(monitor: Monitor) -> Key:
    return monitor.rule, monitor.series, monitor.segment


def _rows(monitors: Sequence[Monitor]) -> dict[tuple[str, object], list[int]]:
    """The rows of the bank that each cell of a baseline is counted in."""
    rows: dict[tuple[str, object], list[int]] = {}
    row = 0
    for monitor in monitors:
        for cell in monitor.cells:
            rows.setdefault((monitor.pinned.record.baseline_id, cell), []).append(row)
            row += 1
    return rows


def _by_hour(monitors: Sequence[Monitor], restarts: Restarts) -> dict[datetime, list[int]]:
    """The monitors that start afresh with an hour, the first one after each restart."""
    by_hour: dict[datetime, list[int]] = {}
    for number, monitor in enumerate(monitors):
        for time in restarts.get(_key(monitor), ()):
            hour = floor_hour(time + HOUR - timedelta(microseconds=1))
            by_hour.setdefault(hour, []).append(number)
    return by_hour

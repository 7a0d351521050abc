"""The alert check over stored history as if it had been there from the start, with nothing kept."""

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flows.checking import check_alerts
from flows.parts import Parts
from storage.store import Store, open_store
from tailwatch.alert import Alert, AlertState, ScoreSample, Segment
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What the plan's rules would have raised over stored hours, under baselines learned anew."""

    window: Window
    alerts: Sequence[Alert]
    opened: int
    reopened: int
    monitors: int

    @property
    def weeks(self) -> float:
        """How long the hours are, learning included."""
        return (self.window.end - self.window.start) / (168 * HOUR)


def rehearse(parts: Parts, on_check: Callable[[datetime], None] | None = None) -> Rehearsed:
    """Runs the plan's rules over every stored hour, in a scratch store. Nobody is told.

    Raises ConfigurationError when nothing has been evaluated yet.
    """
    window = stored_window(parts)
    with _scratch(parts.store) as store:
        moments = [hour.end for hour in window.hours()]
        report = check_alerts(
            replace(parts, store=store, destinations=()), moments, on_check=on_check
        )
        return Rehearsed(
            window=window,
            alerts=store.alerts(limit=None, source=parts.source.name),
            opened=sum(event.before is None for event in report.events),
            reopened=sum(
                event.before is not None and event.before.over and event.after is AlertState.OPEN
                for event in report.events
            ),
            monitors=report.monitors,
        )


def stored_window(parts: Parts) -> Window:
    """All the evaluated time. Raises ConfigurationError when there is none."""
    first = parts.store.first_window(parts.source.name)
    last = parts.store.last_window(parts.source.name)
    if first is None or last is None:
        raise ConfigurationError(
            f"no hour of the source {parts.source.name!r} is evaluated yet; run `tailwatch run` or "
            "`tailwatch backfill` first"
        )
    return Window(first.start, last.end)


class _Rehearsal(Store):
    """A scratch store of decisions over the scores of another store, which is only read."""

    def over(self, scores: Store) -> "_Rehearsal":
        self._scores = scores
        return self

    def first_window(self, source: str) -> Window | None:
        return self._scores.first_window(source)

    def last_window(self, source: str) -> Window | None:
        return self._scores.last_window(source)

    def statements(self, source: str, window: Window) -> dict[Series, dict[datetime, str]]:
        return self._scores.statements(source, window)

    def scored_by_hour(self, source: str, window: Window) -> dict[Series, dict[datetime, int]]:
        return self._scores.scored_by_hour(source, window)

    def hours_of_score(
        self,
        source: str,
        series: Collection[Series],
        segment_fields: Collection[str],
        until: datetime,
        nth: int,
    ) -> dict[tuple[Series, Segment], datetime]:
        return self._scores.hours_of_score(source, series, segment_fields, until, nth)

    def score_samples(
        self,
        source: str,
        series: Collection[Series],
        window: Window,
        segment_fields: Sequence[str] = (),
        max_values: int = 20,
    ) -> list[ScoreSample]:
        return self._scores.score_samples(source, series, window, segment_fields, max_values)

    def measure_samples(
        self,
        source: str,
        measures: Collection[str],
        window: Window,
        segment_fields: Sequence[str] = (),
        max_values: int = 20,
    ) -> list[ScoreSample]:
        return self._scores.measure_samples(source, measures, window, segment_fields, max_values)


@contextmanager
def _scratch(scores: Store) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        empty = open_store(f"sqlite:///{Path(folder) / 'rehearsal.db'}")
        with _Rehearsal(empty.database, empty.keep_text).over(scores) as store:
            store.upgrade()
            yield store

"""Telling an OpenTelemetry collector what it is owed: scores as events, hours as metrics.

It never ends a run and takes a bounded time. What was sent is noted in the store after the
collector took it, so nothing is lost and, after a crash in between, some is sent twice.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from flows.telemetry_events import event_of
from flows.telemetry_figures import hour_points, present_points
from flows.telemetry_otlp import Collector, why_not
from storage.records import OutcomeKind
from storage.store import Store
from storage.telemetry import OwedHour, Stamp
from tailwatch.errors import TailwatchError
from tailwatch.evaluation import Evaluation
from tailwatch.plan import Plan
from tailwatch.printable import printable

PATIENCE: Final = timedelta(seconds=60)
"""How long one run goes on sending; the next one goes on from there."""

EVENTS_AT_ONCE: Final = 500
_PAGE: Final = 4_000
_HOURS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryReport:
    """What a run told the collector: events and whole hours; `refused` counts hours whose figures
    it would not take and `rejected` what it dropped. `why` says why more was not sent, in a
    sentence without an address.
    """

    events: int = 0
    hours: int = 0
    refused: int = 0
    rejected: int = 0
    why: str | None = None


def send_telemetry(
    store: Store,
    plan: Plan,
    clock: Callable[[], datetime],
    *,
    environment: Mapping[str, str] = os.environ,
    patience: timedelta = PATIENCE,
) -> TelemetryReport | None:
    """Sends what is owed, the present figures first; None where the plan does not ask for it.

    Only interrupts raise. A collector that does not answer costs one attempt for the figures and
    one for the events; what it did not take is owed to it.
    """
    if not plan.telemetry.otlp:
        return None
    sender = _Sender(store, plan, clock)
    try:
        if (missing := why_not("metrics", environment)) is None:
            sender.send_figures(patience / 2)
        else:
            sender.give_up(missing)
        if (missing := why_not("logs", environment)) is None:
            sender.send_events(patience)
        else:
            sender.give_up(missing)
    except TailwatchError as error:  # the store does not answer: what is unsent stays
        sender.give_up(printable(str(error), 300))
    finally:
        sender.collector.close()
    return sender.report


def telemetry_line(report: TelemetryReport) -> str:
    """What was sent, and why not more, in a sentence."""
    sent = f"Telemetry: {report.events:,} events, figures of {report.hours:,} hours sent"
    if report.refused:
        sent += f", of {report.refused:,} hours refused"
    if report.rejected:
        sent += f", {report.rejected:,} dropped by the collector"
    return f"{sent}; {report.why}." if report.why else f"{sent}."


class _Sender:
    """Sends to one collector until all is sent, it fails or the time is over."""

    def __init__(self, store: Store, plan: Plan, clock: Callable[[], datetime]) -> None:
        self.store, self.plan, self.clock = store, plan, clock
        self.source = plan.source.name
        self.began = self.deadline = time.monotonic()
        self.collector = Collector()
        self.report = TelemetryReport()

    def send_figures(self, patience: timedelta) -> None:
        """The present, then the hours, oldest first: receivers want each series in order."""
        self.deadline = self.began + patience.total_seconds()
        now = self.clock()
        reply = self.collector.send_points(present_points(self.store, self.plan, now), now)
        if not reply.sent and not reply.refused:
            self.give_up(f"figures were not sent: {reply.sentence}")
            return
        while owed := self.store.owed_telemetry(self.source, "metrics", limit=_HOURS_AT_ONCE):
            for hour in owed:
                if self._late() or not self._send_hour(hour):
                    return

    def send_events(self, patience: timedelta) -> None:
        """The events of the owed hours, newest first: they are what people wait for."""
        self.deadline = self.began + patience.total_seconds()
        while owed := self.store.owed_telemetry(
            self.source, "events", newest_first=True, limit=_HOURS_AT_ONCE
        ):
            for hour in owed:
                if not self._send_events_of(hour):
                    return

    def give_up(self, why: str) -> None:
        if self.report.why != why:
            told = "; ".join(filter(None, (self.report.why, why)))
            self.report = replace(self.report, why=told)

    def _late(self) -> bool:
        late = time.monotonic() > self.deadline
        if late:
            self.give_up("the time for it is over, the next run goes on")
        return late

    def _send_hour(self, hour: OwedHour) -> bool:
        """Whether the figures of the hour are off our hands: taken, or refused for good."""
        points = hour_points(self.store, self.plan, hour.window)
        if points:
            reply = self.collector.send_points(points, hour.window.end)
            if not reply.sent and not reply.refused:
                self.give_up(f"figures were not sent: {reply.sentence}")
                return False
            self._count(hours=int(reply.sent), refused=int(reply.refused), rejected=reply.rejected)
        self.store.note_metrics_sent(self.source, hour.window, hour.change)
        return True

    def _send_events_of(self, hour: OwedHour) -> bool:
        kinds: list[OutcomeKind] = ["score"]
        if self.plan.telemetry.failures:
            kinds.append("failed")
        stamps = self.store.telemetry_stamps(self.source, hour.window, kinds)
        told = {run: stamp for run, stamp in stamps.items() if hour.told.get(run) == stamp}
        for run, stamp in stamps.items():
            if run in told:
                continue
            if not self._send_run(hour, run, stamp, told, kinds):
                return False
            told[run] = stamp
        self.store.note_events_sent(self.source, hour.window, told, change=hour.change)
        return True

    def _send_run(
        self,
        hour: OwedHour,
        run: str,
        stamp: Stamp,
        told: Mapping[str, Stamp],
        kinds: Sequence[OutcomeKind],
    ) -> bool:
        """Whether every evaluation that a run has in the hour was sent, from the last place on."""
        here = [run, str(stamp[0]), stamp[1]]
        place = list(hour.place or ())
        after = place[len(here) :] if place[: len(here)] == here else None
        while True:
            page = self.store.evaluations_of_run(
                self.source, hour.window, run, kinds, after, limit=_PAGE
            )
            for start in range(0, len(page), EVENTS_AT_ONCE):
                some = page[start : start + EVENTS_AT_ONCE]
                if self._late() or not self._send_some(some):
                    return False
                after = _key(some[-1])
                self.store.note_events_sent(self.source, hour.window, told, [*here, *after])
            if len(page) < _PAGE:
                return True

    def _send_some(self, evaluations: Sequence[Evaluation]) -> bool:
        events = [event_of(each, self.plan) for each in evaluations]
        reply = self.collector.send_events(events, self.clock())
        if not reply.sent:
            self.give_up(f"events were not sent: {reply.sentence}")
            return False
        self._count(events=len(events), rejected=reply.rejected)
        return True

    def _count(
        self, *, events: int = 0, hours: int = 0, refused: int = 0, rejected: int = 0
    ) -> None:
        self.report = replace(
            self.report,
            events=self.report.events + events,
            hours=self.report.hours + hours,
            refused=self.report.refused + refused,
            rejected=self.report.rejected + rejected,
        )


def _key(evaluation: Evaluation) -> list[str]:
    series = evaluation.series
    return [series.evaluator, series.version, series.judge, evaluation.evaluation_id]

"""The alerts that say "the judge moved", and the review that ends them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.canary import finding, is_about_judge
from alerts.lifecycle import Advance, Policy, advance, resolve
from flows.canary import judged_series
from flows.canary_book import Book, read_book
from flows.canary_figures import is_complete
from flows.canary_wording import day, moved_sentence, still_sentence
from flows.notifying import notices
from flows.parts import Parts
from storage.canaries import CanaryReference
from tailwatch.alert import Alert, AlertEvent, FindingStatus
from tailwatch.errors import AlertChangedError, ConfigurationError
from tailwatch.evaluation import Series

_POLICY = Policy()


def settle_judge_alerts(parts: Parts, now: datetime) -> list[AlertEvent]:
    """Opens, refreshes and ends the judges' own alerts by what is stored; says what changed.

    It follows from the runs and decisions alone, so that it may be called at any time, and again
    after a crash: what is recorded already is found as it is.
    """
    book = read_book(parts.store, parts.source.name)
    events: list[AlertEvent] = []
    for series in book.series():
        while True:
            try:
                events += _settle(parts, book, series, now)
            except AlertChangedError:
                continue
            break
    return events


def accept(
    parts: Parts, series: Sequence[Series], *, who: str, why: str, now: datetime
) -> list[CanaryReference]:
    """Pins the newest complete run of each series as its reference: the hold on its alerts ends.

    Raises ConfigurationError for a series without a complete run, and then pins nothing.
    """
    book = read_book(parts.store, parts.source.name)
    chosen = []
    for each in series:
        complete = [run for run in book.runs_of(each) if is_complete(run)]
        if not complete:
            raise ConfigurationError(
                f"no canary of {each} is complete; run `tailwatch canary run` first"
            )
        chosen.append(
            CanaryReference(
                series=each, run_id=complete[-1].run_id, decided_at=now, who=who, why=why
            )
        )
    for reference in chosen:
        parts.store.pin_canary_reference(parts.source.name, reference)
    settle_judge_alerts(parts, now)
    return chosen


def _settle(parts: Parts, book: Book, series: Series, now: datetime) -> list[AlertEvent]:
    alert, events = _newest(parts, series), list[AlertEvent]()
    compared, accepted = book.compared(series), book.accepted(series)
    if compared:
        last = compared[-1]
        reference = _reference_time(book, series, last.at)
        sentence = (
            moved_sentence(series, last, reference)
            if last.shift.moved
            else still_sentence(series, last)
        )
        step = advance(alert, finding(series, last, sentence), last.at, _POLICY)
        alert, events = _recorded(parts, alert, step, now)
    if alert is not None and not alert.state.over and accepted:
        decision = accepted[-1]
        if decision.decided_at >= alert.updated_at:
            why = f"the judge is accepted as it was on {_run_day(book, decision)}: {decision.why}"
            step = resolve(alert, who=decision.who, why=why, now=decision.decided_at)
            alert, ended = _recorded(parts, alert, step, now)
            events += ended
    judged = judged_series(parts)
    if alert is not None and not alert.state.over and judged and series not in judged:
        quiet = replace(
            finding(series, compared[-1], "the plan does not ask this judge any more"),
            status=FindingStatus.OK,
        )
        _, ended = _recorded(parts, alert, advance(alert, quiet, now, _POLICY), now)
        events += ended
    return events


def _newest(parts: Parts, series: Series) -> Alert | None:
    """The newest alert about a series' judge."""
    alerts = parts.store.alerts(limit=None, source=parts.source.name)
    return next((a for a in alerts if is_about_judge(a) and a.series == series), None)


def _recorded(
    parts: Parts, before: Alert | None, step: Advance, now: datetime
) -> tuple[Alert | None, list[AlertEvent]]:
    after = step.alert
    if after is None or (after == before and not step.events):
        return before, []
    told = notices(parts, after, step.events, now)
    known = before if before is not None and before.alert_id == after.alert_id else None
    parts.store.record_alert(parts.source.name, after, step.events, told, before=known)
    return after, list(step.events)


def _reference_time(book: Book, series: Series, at: datetime) -> datetime | None:
    """When the reference of a comparison was run."""
    reference = book.reference(series, at)
    runs = [r for r in book.runs_of(series) if reference and r.run_id == reference.run_id]
    return runs[0].started_at if runs else None


def _run_day(book: Book, reference: CanaryReference) -> str:
    run = next(r for r in book.runs_of(reference.series) if r.run_id == reference.run_id)
    return day(run.started_at)

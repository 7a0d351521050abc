"""What the stored canary runs say about each judge: where it stands, and which alerts are held.

Nothing here is a flag that somebody sets and forgets: a hold follows from runs and decisions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.canary import Compared, Hold, Shift, holds, is_about_judge
from alerts.incidents import monitors_of
from flows.canary_figures import is_complete
from flows.canary_wording import hold_sentence
from storage.canaries import CanaryReference, CanaryRun
from storage.store import Store
from tailwatch.alert import Alert
from tailwatch.evaluation import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All canary runs of a source and all decisions about references, oldest first."""

    runs: Sequence[CanaryRun]
    references: Sequence[CanaryReference]

    def series(self) -> list[Series]:
        """The series that any run was of."""
        return sorted({run.series for run in self.runs})

    def runs_of(self, series: Series) -> list[CanaryRun]:
        return [run for run in self.runs if run.series == series]

    def reference(self, series: Series, at: datetime | None = None) -> CanaryReference | None:
        """The reference in force, now or at a time."""
        pinned = [
            r for r in self.references if r.series == series and (at is None or r.decided_at <= at)
        ]
        return pinned[-1] if pinned else None

    def accepted(self, series: Series) -> list[CanaryReference]:
        """The decisions of people about the series: all references after the first."""
        return [r for r in self.references if r.series == series][1:]

    def compared(self, series: Series) -> list[Compared]:
        """The runs that were compared with the reference in force when they ended."""
        found = []
        for run in self.runs_of(series):
            if run.ended_at is None or run.compared_with is None:
                continue
            reference = self.reference(series, run.ended_at)
            if reference is not None and reference.run_id == run.compared_with:
                found.append(Compared(at=run.ended_at, shift=shift_of(run)))
        return sorted(found, key=lambda each: each.at)

    def needed_verdicts(self) -> set[tuple[Series, str]]:
        """The series and ids of the runs whose verdicts are still compared with, or shown: the
        reference in force, the newest complete run, and the newest compared one with its partner.
        """
        needed = set()
        for series in self.series():
            runs, reference = self.runs_of(series), self.reference(series)
            complete = [run.run_id for run in runs if is_complete(run)]
            compared = [run for run in runs if run.compared_with is not None]
            ids = {*complete[-1:], *(run.run_id for run in compared[-1:])}
            ids |= {run.compared_with for run in compared[-1:] if run.compared_with is not None}
            ids |= {reference.run_id} if reference is not None else set()
            needed |= {(series, run_id) for run_id in ids}
        return needed

    def holds(self, series: Series) -> list[Hold]:
        """When the series' judge counted as moved."""
        return holds(self.compared(series), [r.decided_at for r in self.accepted(series)])

    def holds_of(self, judge: str) -> list[tuple[Series, Hold]]:
        """The same for all series of one judge, oldest first."""
        mine = [s for s in self.series() if s.judge == judge]
        found = [(series, hold) for series in mine for hold in self.holds(series)]
        return sorted(found, key=lambda each: each[1].begin)

    def held_because(self, judge: str) -> str | None:
        """Why alerts of a judge's scores are held now; None where they are not."""
        lasting = [each for each in self.holds_of(judge) if each[1].end is None]
        return hold_sentence(*lasting[-1]) if lasting else None


def read_book(store: Store, source: str) -> Book:
    """The book of a source."""
    return Book(runs=store.canary_runs(source), references=store.canary_references(source))


def shift_of(run: CanaryRun) -> Shift:
    """How the verdicts of a run differ from those of its reference."""
    return Shift(pairs=run.pairs, better=run.better, worse=run.worse)


def judges_of(alert: Alert) -> set[str]:
    """The judges behind an incident as it lasts; `""` stands for a score without a judge."""
    monitors = monitors_of(alert)
    lasting = [m for m in monitors if m.breaching] or monitors
    return {monitor.series.judge for monitor in lasting}


def held_alerts(book: Book, alerts: Iterable[Alert]) -> dict[str, str]:
    """The alerts that are held now, by id, with the reason.

    An alert is held when all that still breaches was scored by judges that moved. One that a
    measure without a judge takes part in is not: the product moved too.
    """
    reasons: dict[str, str | None] = {}
    held: dict[str, str] = {}
    for alert in alerts:
        if is_about_judge(alert) or alert.state.over:
            continue
        judges = sorted(judges_of(alert))
        for judge in judges:
            if judge not in reasons:
                reasons[judge] = book.held_because(judge) if judge else None
        why = [reasons[judge] for judge in judges]
        if all(why):
            held[alert.alert_id] = why[0] or ""
    return held


def held_in(store: Store, source: str) -> dict[str, str]:
    """The alerts of a source that are held now, by id, with the reason."""
    alerts = store.unresolved_alerts(source)
    return held_alerts(read_book(store, source), alerts) if alerts else {}


def ended_while_held(book: Book, alert: Alert) -> bool:
    """Whether an alert that is over ended at a time when it was held."""
    if is_about_judge(alert) or not alert.state.over or alert.resolved_at is None:
        return False
    at = alert.resolved_at
    return all(
        any(h.begin <= at and (h.end is None or at <= h.end) for _, h in book.holds_of(judge))
        for judge in judges_of(alert)
    )

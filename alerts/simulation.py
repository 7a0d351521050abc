"""What the tail-evidence rule says about streams of outputs: counted, followed and joined to
incidents by the code that the hourly check runs, with nothing stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from alerts.detector import Bank, Detectors, Ongoing, advance
from alerts.family import Family
from alerts.incidents import check_incidents, key_of, monitors_of
from alerts.lifecycle import Policy
from alerts.rules.tail_evidence import breach_finding, quiet_finding
from alerts.tail_sentence import Budget, Excess, Regression
from tailwatch.alert import Alert, AlertState, Finding, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

RULE = "tail_evidence"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Hour = Mapping[Segment, ScoreSample]
"""The outputs of one hour by segment, all traffic among them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A stream after its baseline: the counts of each hour (hours x rows x levels).

    The rows are the cells of the family's monitors, one monitor after another. `first` is the
    number of the first hour, from 1970.
    """

    series: Series
    family: Family
    first: int
    bad: NDArray[np.float64]
    n: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What people would have been told about one trial.

    All but `onsets` are numbers of checks, from 1: the check that has seen `k` hours is number k.
    `onsets` are, for each opening, the first hour (from 0) that the incident is dated to. `alerts`
    are the incidents at the end, and `evidence` that of each monitor after each hour.
    """

    opened: tuple[int, ...]
    reopened: tuple[int, ...]
    resolved: tuple[int, ...]
    onsets: tuple[int, ...]
    alerts: tuple[Alert, ...]
    evidence: Mapping[Segment, NDArray[np.float64]]


def counted(
    series: Series, family: Family, hours: Iterable[Hour], *, most_values: int = 20
) -> Trial:
    """The trial of a stream whose hours follow one another. Raises ValueError for no hour."""
    cells = [cell for segment in family.monitors for cell in family.cells(segment)]
    rows: dict[Segment, list[int]] = {}
    for row, cell in enumerate(cells):
        rows.setdefault(cell, []).append(row)
    counts: list[NDArray[np.float64]] = []
    first: int | None = None
    for hour in hours:
        if first is None:
            first = hour_number(next(iter(hour.values())).window.start)
        of_hour = np.zeros((2, len(cells), len(family.levels)))
        for cell, (bad, n) in family.count(hour, most_values).items():
            for row in rows.get(cell, ()):
                of_hour[:, row] = bad, n
        counts.append(of_hour)
    if first is None:
        raise ValueError("no hours; a trial needs at least one")
    both = np.stack(counts, axis=1)
    return Trial(series=series, family=family, first=first, bad=both[0], n=both[1])


def play(
    trials: Sequence[Trial],
    budget: Budget,
    *,
    policy: Policy | None = None,
    first_alert_only: bool = False,
) -> list[Life]:
    """The life of each trial, in order. All have as many hours, and no part in one another.

    With `first_alert_only` a trial is not followed any further once it has opened an alert, and
    no evidence is added up after all of them have.
    """
    if not trials:
        return []
    monitors = [(number, s) for number, t in enumerate(trials) for s in t.family.monitors]
    bank = Bank.of([trials[i].family.monitors[segment] for i, segment in monitors], monitors)
    state = Detectors.start(bank)
    bad = np.concatenate([_padded(t.bad, bank) for t in trials], axis=1)
    n = np.concatenate([_padded(t.n, bank) for t in trials], axis=1)
    by_trial: dict[int, list[int]] = {}
    for monitor, (number, _) in enumerate(monitors):
        by_trial.setdefault(number, []).append(monitor)
    stories = [_Story(t, policy or Policy()) for t in trials]
    evidence = np.zeros((len(bad), len(monitors)))
    for hour in range(len(bad)):
        turn = advance(bank, state, hour, bad[hour], n[hour], budget.alert_at)
        evidence[hour] = state.evidence
        touched = {monitors[m][0] for m in (*turn.began, *turn.ended, *state.ongoing)}
        last_n = bank.summed(n[hour]).max(axis=1)
        following = touched | {i for i, story in enumerate(stories) if story.lasting}
        if first_alert_only:
            following = {i for i in following if not stories[i].has_opened}
            if all(story.has_opened for story in stories):
                break
        for number in sorted(following):
            stories[number].check(
                hour,
                [
                    (monitors[m][1], state.ongoing.get(m), float(state.evidence[m]), last_n[m] > 0)
                    for m in by_trial[number]
                ],
                budget,
            )
    return [
        story.told({monitors[m][1]: evidence[:, m] for m in by_trial[number]})
        for number, story in enumerate(stories)
    ]


def hour_number(start: datetime) -> int:
    """The hours from 1970 to the start of an hour."""
    return (start - EPOCH) // HOUR


class _Story:
    """The incidents of one trial, and the checks that changed them."""

    def __init__(self, trial: Trial, policy: Policy) -> None:
        self._trial, self._policy = trial, policy
        self._alerts: list[Alert] = []
        self._opened: list[int] = []
        self._reopened: list[int] = []
        self._resolved: list[int] = []
        self._onsets: list[int] = []

    @property
    def lasting(self) -> bool:
        return any(not alert.state.over for alert in self._alerts)

    @property
    def has_opened(self) -> bool:
        return bool(self._opened)

    def check(
        self,
        hour: int,
        found: Sequence[tuple[Segment, Ongoing | None, float, bool]],
        budget: Budget,
    ) -> None:
        """One check, after `hour`: each monitor's incident, evidence and whether it had outputs."""
        now = EPOCH + (self._trial.first + hour + 1) * HOUR
        known = {key_of(m) for a in self._alerts if not a.state.over for m in monitors_of(a)}
        findings = [
            self._finding(segment, incident, evidence, scored, now, budget)
            for segment, incident, evidence, scored in found
            if incident is not None or (RULE, self._trial.series, segment) in known
        ]
        steps = check_incidents(
            self._alerts, findings, now, self._policy, lambda _rule, _series: "quality"
        )
        for step in steps:
            others = [a for a in self._alerts if a.alert_id != step.after.alert_id]
            self._alerts = sorted(
                [step.after, *others], key=lambda alert: alert.opened_at, reverse=True
            )
            for event in step.events:
                if event.after is AlertState.RESOLVED:
                    self._resolved.append(hour + 1)
                elif event.before is None:
                    self._opened.append(hour + 1)
                    self._onsets.append(hour_number(step.after.onset) - self._trial.first)
                elif event.before.over:
                    self._reopened.append(hour + 1)

    def told(self, evidence: Mapping[Segment, NDArray[np.float64]]) -> Life:
        return Life(
            opened=tuple(self._opened),
            reopened=tuple(self._reopened),
            resolved=tuple(self._resolved),
            onsets=tuple(self._onsets),
            alerts=tuple(self._alerts),
            evidence=evidence,
        )

    def _finding(
        self,
        segment: Segment,
        incident: Ongoing | None,
        evidence: float,
        scored: bool,
        now: datetime,
        budget: Budget,
    ) -> Finding:
        window = Window(now - HOUR, now)
        if incident is None:
            return quiet_finding(
                RULE, self._trial.series, segment, window, evidence, budget, scored=scored
            )
        lines = [row[incident.level] for row in self._trial.family.lines(segment).lines]
        news = Regression(
            series=self._trial.series,
            segment=segment,
            direction=self._trial.family.direction,
            onset=EPOCH + (self._trial.first + incident.onset) * HOUR,
            until=now,
            lines=[line for line in lines if line is not None],
            excess=Excess(
                bad=incident.bad,
                n=incident.n,
                usual=incident.usual,
                tolerated=incident.tolerated,
            ),
            evidence=evidence,
            budget=budget,
        )
        return breach_finding(RULE, news, window)


def _padded(counts: NDArray[np.float64], bank: Bank) -> NDArray[np.float64]:
    levels = bank.effect.shape[1] - counts.shape[2]
    return np.pad(counts, ((0, 0), (0, 0), (0, levels)))

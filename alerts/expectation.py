"""What to expect of the tail-evidence rule on a project's own outputs, before it is trusted."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.family import Family
from alerts.resampling import DAY, Outputs, Resampled, Turned
from alerts.rules.tail_evidence import TailEvidence
from alerts.simulation import Trial, counted, play
from alerts.special import pdtri
from alerts.tail_sentence import Budget
from tailwatch.alert import ScoreSample, Segment

QUIET_BEFORE = DAY
FOLLOWED = 7 * DAY
"""Hours after a change in which it must be found."""

MOST_DAYS = 90
"""A baseline that takes longer to learn is not simulated."""

_WEEK = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How soon a regression was found: one entry a trial, None where not within a week."""

    turned: Turned
    hours: tuple[int | None, ...]

    def quantile(self, share: float) -> int | None:
        """The smallest number of hours in which so much of the trials found it."""
        ordered = sorted(math.inf if h is None else h for h in self.hours)
        if not ordered:
            return None
        found = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
        return None if math.isinf(found) else int(found)

    @property
    def missed(self) -> int:
        return sum(h is None for h in self.hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """False alerts in so many quiet weeks at a volume (None: the baseline's own), and the delays.

    `monitors` are those of the series in the first trial.
    """

    per_hour: int | None
    baseline_days: int
    monitors: int
    weeks: int
    false_alerts: int
    delays: tuple[Delay, ...]

    @property
    def a_week(self) -> float:
        """False alerts a week."""
        return self.false_alerts / self.weeks

    @property
    def at_most(self) -> float:
        """The 95 % upper limit of the expected number a week, were the alerts Poisson."""
        return pdtri(self.false_alerts, 0.05) / self.weeks


def expect(
    outputs: Outputs,
    rule: TailEvidence,
    budget: Budget,
    *,
    per_hour: int | None,
    regressions: Sequence[Turned],
    weeks: int,
    trials: int,
    seed: int,
    most_values: int = 20,
    on_trial: Callable[[], None] | None = None,
) -> Expectation | None:
    """The rule on streams resampled from `outputs`; None where a baseline takes over 90 days.

    In each trial a baseline is learned from a resampled stream; then come `weeks` quiet weeks and,
    for each regression, a quiet day and the week in which it must be found. The budget's threshold
    is for all the monitors that share it, not for those of this series alone.
    """
    volume = len(outputs.scores) / (DAY * outputs.days) if per_hour is None else per_hour
    most = MOST_DAYS * DAY * volume
    if most < 1.1 * rule.min_scored:
        return None
    days = max(rule.days, math.ceil(1.1 * rule.min_scored / (DAY * volume)))
    random = np.random.default_rng([seed, per_hour or 0])
    resampled = Resampled(outputs)
    quiet: list[Trial] = []
    changed: list[list[Trial]] = [[] for _ in regressions]
    for _ in range(trials):
        family = _learned(resampled, rule, random, days, per_hour)
        if family is None:
            return None
        series = outputs.series
        made = resampled.hours(random, weeks * _WEEK, per_hour=per_hour, skip=days * DAY)
        quiet.append(counted(series, family, made, most_values=most_values))
        for place, turned in enumerate(regressions):
            made = resampled.hours(
                random,
                QUIET_BEFORE + FOLLOWED,
                per_hour=per_hour,
                skip=days * DAY,
                turned=turned,
                change=QUIET_BEFORE,
            )
            changed[place].append(counted(series, family, made, most_values=most_values))
        if on_trial is not None:
            on_trial()
    return Expectation(
        per_hour=per_hour,
        baseline_days=days,
        monitors=len(quiet[0].family.monitors),
        weeks=weeks * trials,
        false_alerts=sum(len(life.opened) for life in play(quiet, budget)),
        delays=tuple(
            _delay(turned, runs, budget) for turned, runs in zip(regressions, changed, strict=True)
        ),
    )


def _learned(
    resampled: Resampled,
    rule: TailEvidence,
    random: np.random.Generator,
    days: int,
    per_hour: int | None,
) -> Family | None:
    cells: dict[Segment, list[ScoreSample]] = {}
    for hour in resampled.hours(random, days * DAY, per_hour=per_hour):
        for segment, sample in hour.items():
            cells.setdefault(segment, []).append(sample)
    return rule.learn(cells, resampled.direction)


def _delay(turned: Turned, runs: Sequence[Trial], budget: Budget) -> Delay:
    """Trials with an alert on the quiet day before are left out."""
    lives = play(runs, budget, first_alert_only=True)
    return Delay(
        turned=turned,
        hours=tuple(
            life.opened[0] - QUIET_BEFORE if life.opened else None
            for life in lives
            if not life.opened or life.opened[0] > QUIET_BEFORE
        ),
    )

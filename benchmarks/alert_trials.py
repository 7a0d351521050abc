"""One stream at one volume under every alert rule: false alarms, delays, resolution.

Each trial learns its own baseline (a week, more where that has fewer than 500 outputs), so that
the error of baselines is part of what is measured. A quiet trial then goes on for four weeks, one
with a regression for eight days, of which the first is quiet.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from alerts.family import Family
from alerts.percentiles import rank
from alerts.rules.tail_evidence import TailEvidence, tail_evidence
from alerts.simulation import Hour, Life, Trial, counted, play
from alerts.tail_sentence import Budget
from benchmarks.alert_streams import (
    QUIET,
    REGRESSIONS,
    SERIES,
    WEEK_HOURS,
    Floats,
    Random,
    Regression,
    Stream,
    hours,
)
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment

WEEKS_A_TRIAL = 4
CHANGE = 24
FOLLOWED = WEEK_HOURS
INCIDENT = 72
TUNED_WEEKS = 12
MONITORS = 5

FAMILY, FAMILY_12, ALONE_12 = "tail, family", "tail, family, 12 weeks", "tail, 12 weeks"
P10_HOUR, MEAN_DAY, MEAN_TUNED = "P10 1 h < base - .05", "mean 24 h < base - .05", "mean 6 h, tuned"
RULES = (P10_HOUR, MEAN_DAY, MEAN_TUNED, ALONE_12, FAMILY_12, FAMILY)
ENDING = tuple(
    Regression(name=f"{share:.0%} for 72 h", share=share, lasts=INCIDENT) for share in (0.05, 0.1)
)
PARTLY = Regression(name="all but one segment", share=0.1, lasts=INCIDENT, left=0.3)
"""It ends after 72 h as the others do, but 30 % stay bad in a segment of 15 % of the traffic."""


def shipped_rule() -> TailEvidence:
    """The rule as the plan's `use: tail_evidence` makes it, without options."""
    rule = tail_evidence("tail_evidence", {})
    if not isinstance(rule, TailEvidence):
        raise TypeError(f"tail_evidence made a {type(rule).__name__}")
    return rule


RULE = shipped_rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was seen of one stream at one volume, over `weeks` quiet weeks and for each regression.

    `false_alarms` are separate alerts by rule; `delays` are hours from the change to the first
    alert, 1 when its first hour raised it and None when no hour of a week did; `onset_errors` how
    many hours the default rule dated it off; `resolved` hours from the end of an incident to its
    resolution (None: not within four days) and `reopened` how often one came back; `resolved_alone`
    is the same where all traffic is the only monitor. `left_open` says of each incident that ended
    in all but one segment whether it was never called over.
    """

    stream: str
    per_hour: int
    weeks: int
    false_alarms: dict[str, int] = field(default_factory=dict)
    delays: dict[str, dict[str, list[int | None]]] = field(default_factory=dict)
    onset_errors: dict[str, list[int]] = field(default_factory=dict)
    resolved: dict[str, list[int | None]] = field(default_factory=dict)
    resolved_alone: dict[str, list[int | None]] = field(default_factory=dict)
    reopened: dict[str, int] = field(default_factory=dict)
    left_open: list[bool] = field(default_factory=list)
    tuned_by: float = 0.0


@dataclass(slots=True)
class Hourly:
    """The mean, the number and the P10 of all outputs, hour by hour, taken on the way."""

    sums: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    p10: list[float] = field(default_factory=list)

    def watching(self, stream: Iterable[Hour]) -> Iterator[Hour]:
        for hour in stream:
            values = hour[ALL_TRAFFIC].values
            self.sums.append(float(sum(values)))
            self.numbers.append(len(values))
            self.p10.append(values[rank(len(values), 0.1) - 1] if values else math.nan)
            yield hour

    def mean(self, over: int) -> Floats:
        """The mean of all outputs of the last `over` hours, at each hour."""
        kernel = np.ones(over)
        size = len(self.sums)
        total = np.convolve(self.sums, kernel)[:size]
        return np.asarray(total / np.maximum(1, np.convolve(self.numbers, kernel)[:size]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One trial with the usual mean and P10 of its baseline."""

    trial: Trial
    hourly: Hourly
    usual_mean: float
    usual_p10: float

    def breaches(self, rule: str, tuned_by: float) -> NDArray[np.bool_]:
        """The hours in which one of the threshold rules says that something is wrong."""
        if rule == P10_HOUR:
            return np.asarray(self.hourly.p10) < self.usual_p10 - 0.05
        hours_, by = (24, 0.05) if rule == MEAN_DAY else (6, tuned_by)
        breaching = self.hourly.mean(hours_) < self.usual_mean - by
        breaching[: hours_ - 1] = False
        return np.asarray(breaching)


def measure(
    stream: Stream, per_hour: int, weeks: int, incidents: int, seed: int = 20260105
) -> Measured:
    """Everything about one stream at one volume."""
    random = np.random.default_rng([seed, per_hour, sum(stream.name.encode())])
    baselines = max(1, weeks // WEEKS_A_TRIAL)
    learned = [_baseline(stream, per_hour, random) for _ in range(max(baselines, incidents))]
    quiet = [
        _run(base, stream, per_hour, random, QUIET, WEEKS_A_TRIAL * WEEK_HOURS)
        for base in learned[:baselines]
    ]
    tuned_by = _tuned(quiet)
    seen = Measured(
        stream=stream.name,
        per_hour=per_hour,
        weeks=baselines * WEEKS_A_TRIAL,
        tuned_by=tuned_by,
    )
    for rule in (P10_HOUR, MEAN_DAY, MEAN_TUNED):
        seen.false_alarms[rule] = sum(_edges(run.breaches(rule, tuned_by)) for run in quiet)
    for rule, lives in _lives(quiet).items():
        seen.false_alarms[rule] = sum(len(life.opened) for life in lives)
    for regression in (*REGRESSIONS, *ENDING, PARTLY):
        runs = [
            _run(base, stream, per_hour, random, regression, CHANGE + FOLLOWED)
            for base in learned[:incidents]
        ]
        _take_in(seen, regression, runs, tuned_by)
    return seen


def _take_in(seen: Measured, regression: Regression, runs: list[Run], tuned_by: float) -> None:
    if regression is PARTLY:
        lives = play([run.trial for run in runs], RULE.budget(MONITORS))
        seen.left_open.extend(not life.resolved for life in lives if life.opened)
        return
    if regression in ENDING:
        trials = [run.trial for run in runs]
        lives = play(trials, RULE.budget(MONITORS))
        alone = play([_all_traffic(trial) for trial in trials], RULE.budget(MONITORS))
        seen.resolved[regression.name] = _endings(lives)
        seen.resolved_alone[regression.name] = _endings(alone)
        seen.reopened[regression.name] = sum(len(life.reopened) for life in lives)
        return
    delays = seen.delays.setdefault(regression.name, {})
    for rule in (P10_HOUR, MEAN_DAY, MEAN_TUNED):
        delays[rule] = [_first(run.breaches(rule, tuned_by)) for run in runs]
    for rule, told in _lives(runs, first_alert_only=True).items():
        fresh = [life for life in told if not any(at <= CHANGE for at in life.opened)]
        delays[rule] = [life.opened[0] - CHANGE if life.opened else None for life in fresh]
        if rule == FAMILY:
            seen.onset_errors[regression.name] = [
                abs(life.onsets[0] - CHANGE) for life in fresh if life.onsets
            ]


def _endings(lives: list[Life]) -> list[int | None]:
    """Hours from the end of each incident that was noticed to its resolution."""
    over = CHANGE + INCIDENT
    return [
        None if any(not alert.state.over for alert in life.alerts) else max(life.resolved) - over
        for life in lives
        if life.opened
    ]


def _baseline(stream: Stream, per_hour: int, random: Random) -> tuple[Family, float, float, int]:
    size = 24 * max(7, math.ceil(RULE.min_scored / (24 * per_hour)) + 1 * (per_hour < 5))
    hourly = Hourly()
    cells: dict[Segment, list[ScoreSample]] = {}
    for hour in hourly.watching(hours(stream, per_hour, random, 0, size)):
        for segment, sample in hour.items():
            cells.setdefault(segment, []).append(sample)
    family = RULE.learn(cells, Direction.HIGHER_IS_BETTER)
    if family is None:
        raise ValueError(f"{size} hours of {per_hour} outputs are no baseline")
    values = np.sort(np.concatenate([sample.values for sample in cells[ALL_TRAFFIC]]))
    return family, float(values.mean()), float(values[rank(len(values), 0.1) - 1]), size


def _run(
    base: tuple[Family, float, float, int],
    stream: Stream,
    per_hour: int,
    random: Random,
    regression: Regression,
    count: int,
) -> Run:
    family, mean, p10, first = base
    hourly = Hourly()
    made = hours(stream, per_hour, random, first, count, regression, CHANGE)
    trial = counted(SERIES, family, hourly.watching(made))
    return Run(trial=trial, hourly=hourly, usual_mean=mean, usual_p10=p10)


def _lives(runs: list[Run], *, first_alert_only: bool = False) -> dict[str, list[Life]]:
    trials = [run.trial for run in runs]
    alone = [_all_traffic(trial) for trial in trials]
    asked = {
        FAMILY: (trials, RULE.budget(MONITORS)),
        FAMILY_12: (trials, _budget(MONITORS)),
        ALONE_12: (alone, _budget(1)),
    }
    return {
        name: play(played, budget, first_alert_only=first_alert_only)
        for name, (played, budget) in asked.items()
    }


def _budget(monitors: int) -> Budget:
    return RULE.budget(monitors, plan_weeks=TUNED_WEEKS)


def _all_traffic(trial: Trial) -> Trial:
    """The trial with its first monitor alone."""
    rows = len(trial.family.cells(ALL_TRAFFIC))
    only = {ALL_TRAFFIC: trial.family.monitors[ALL_TRAFFIC]}
    return replace(
        trial,
        family=replace(trial.family, monitors=only),
        bad=trial.bad[:, :rows],
        n=trial.n[:, :rows],
    )


def _tuned(quiet: list[Run]) -> float:
    """The smallest delta of the 6 h mean that stays within one false alarm in 12 weeks here."""
    allowed = len(quiet) * WEEKS_A_TRIAL / TUNED_WEEKS
    for by in np.arange(0.002, 0.4, 0.001):
        if sum(_edges(run.breaches(MEAN_TUNED, float(by))) for run in quiet) <= allowed:
            return float(by)
    return 0.4


def _edges(breaching: NDArray[np.bool_]) -> int:
    """How often it begins to breach."""
    return int(breaching[0]) + int(np.count_nonzero(breaching[1:] & ~breaching[:-1]))


def _first(breaching: NDArray[np.bool_]) -> int | None:
    after = np.flatnonzero(breaching[CHANGE:])
    return int(after[0]) + 1 if len(after) else None

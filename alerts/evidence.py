"""Evidence that a monitor's tail got worse, added up hour by hour against a false-alarm budget.

Everything is a function of counts: computing it again from the same counts gives the same, in
whatever order the outputs of an hour arrived.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.cusum import FURTHER_SHARES, log_ratio, worse
from alerts.detector import LARGEST_LOG, Bank, Detectors, advance
from alerts.lines import Counts, Lines

BUDGET_HOURS = 672
"""At most one false alert in so many hours (4 weeks) is expected of a whole project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """From the hour in which evidence reached the threshold to the one that resolved it.

    All are indices of hours: `onset` is when it began, `alarm` when it was noticed; `resolved` is
    None while it lasts. `level` and `further` index the line and the alternative with the most
    evidence.
    """

    onset: int
    alarm: int
    resolved: int | None
    level: int
    further: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """The evidence after each hour, in hours of false-alarm-free running, and the incidents."""

    evidence: NDArray[np.float64]
    incidents: tuple[Incident, ...]


def threshold(monitors: int, budget_hours: float = BUDGET_HOURS) -> float:
    """The evidence that raises an alert, when the budget is shared by so many monitors."""
    return budget_hours * max(1, monitors)


def follow(counts: Counts, lines: Lines, alert_at: float) -> Course:
    """The evidence of a monitor over the hours, with the incidents in which it reached `alert_at`.

    For each level q and further share d, with L the log-likelihood ratio of the hour's counts (see
    `hourly_ratios`), M <- (M + 1) exp(L), a Shiryaev-Roberts e-detector; the evidence is the mean
    of M over q and d. While the true shares are at most the tolerated ones exp(L) has expectation
    at most 1, so the mean time to a false alert is at least `alert_at` hours (Shin, Ramdas,
    Rinaldo, E-detectors, arXiv 2203.03532). An hour without outputs adds nothing. When an incident
    is resolved M starts at 0 again.
    """
    bank = Bank.of([lines])
    state = Detectors.start(bank)
    evidence = np.zeros(len(counts.starts))
    incidents: list[Incident] = []
    for hour in range(len(counts.starts)):
        turn = advance(bank, state, hour, counts.bad[hour], counts.n[hour], alert_at)
        evidence[hour] = state.evidence[0]
        if turn.ended:
            begun = incidents.pop()
            incidents.append(
                Incident(
                    onset=begun.onset,
                    alarm=begun.alarm,
                    resolved=hour,
                    level=begun.level,
                    further=begun.further,
                )
            )
        if turn.began:
            new = state.ongoing[0]
            incidents.append(
                Incident(
                    onset=new.onset,
                    alarm=hour,
                    resolved=None,
                    level=new.level,
                    further=new.further,
                )
            )
    return Course(evidence=evidence, incidents=tuple(incidents))


def undisturbed(counts: Counts, lines: Lines) -> NDArray[np.float64]:
    """The evidence after each hour as long as no incident begins: what `follow` says until then.

    All hours at once: M_t is the sum over s <= t of exp(L_s + ... + L_t). Every hour must have
    outputs at every level.
    """
    ratios = hourly_ratios(counts, lines)
    total = ratios.cumsum(axis=0)
    log_m = total + np.logaddexp.accumulate(ratios - total, axis=0)
    logs = log_m.reshape(len(log_m), lines.effect.size * len(FURTHER_SHARES))
    mean = np.logaddexp.reduce(logs, axis=1) - np.log(logs.shape[1])
    return np.asarray(np.exp(np.minimum(mean, LARGEST_LOG)), dtype=np.float64)


def hourly_ratios(counts: Counts, lines: Lines) -> NDArray[np.float64]:
    """L by hour, level and further share: the sum over rows of log_ratio, divided by the effect.

    The share is the tolerated one and the alternative "a further d of all outputs turned bad".
    """
    tolerated = lines.tolerated[..., None]
    ratios = log_ratio(
        counts.bad[..., None],
        counts.n[..., None],
        tolerated,
        worse(lines.tolerated, FURTHER_SHARES),
    )
    return np.asarray(ratios.sum(axis=1) / lines.effect[:, None], dtype=np.float64)

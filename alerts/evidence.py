"""Evidence that a monitor's tail got worse, added up hour by hour against a false-alarm budget.

Everything is a function of counts: computing it again from the same counts gives the same, in
whatever order the outputs of an hour arrived.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.cusum import FURTHER_SHARES, log_ratio, onset, worse
from alerts.lines import Counts, Lines

BUDGET_HOURS = 672
"""At most one false alert in so many hours (4 weeks) is expected of a whole project."""

RESOLVED_AT = 100.0
"""The likelihood ratio of "as in the baseline" against "as in the incident" that ends one."""

_LARGEST_LOG = 700.0


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
    return budget_hours * monitors


def follow(counts: Counts, lines: Lines, alert_at: float) -> Course:
    """The evidence of a monitor over the hours, with the incidents in which it reached `alert_at`.

    For each level q and further share d, with L the log-likelihood ratio of the hour's counts (see
    `hourly_ratios`), M <- (M + 1) exp(L), a Shiryaev-Roberts e-detector; the evidence is the mean
    of M over q and d. While the true shares are at most the tolerated ones exp(L) has expectation
    at most 1, so the mean time to a false alert is at least `alert_at` hours (Shin, Ramdas,
    Rinaldo, E-detectors, arXiv 2203.03532). When an incident is resolved M starts at 0 again.
    """
    ratios = hourly_ratios(counts, lines)
    evidence = np.zeros(len(ratios))
    incidents: list[Incident] = []
    log_m = np.full(ratios.shape[1:], -np.inf)
    begin, end = 0, -1
    for hour, ratio in enumerate(ratios):
        log_m = np.logaddexp(log_m, 0.0) + ratio
        evidence[hour] = _mean_exp(log_m)
        if hour == end:
            log_m, begin = np.full_like(log_m, -np.inf), hour + 1
        elif hour > end and evidence[hour] >= alert_at:
            incident = _incident(counts, lines, ratios, log_m, begin, hour)
            incidents.append(incident)
            end = len(ratios) if incident.resolved is None else incident.resolved
    return Course(evidence=evidence, incidents=tuple(incidents))


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


def _incident(
    counts: Counts,
    lines: Lines,
    ratios: NDArray[np.float64],
    log_m: NDArray[np.float64],
    begin: int,
    alarm: int,
) -> Incident:
    level, further = (int(i) for i in np.unravel_index(int(np.argmax(log_m)), log_m.shape))
    strongest = ratios[begin : alarm + 1, level, further]
    has_outputs = counts.n[begin : alarm + 1, :, level].sum(axis=1) > 0
    began = begin + onset(strongest[:, None], has_outputs)
    return Incident(
        onset=began,
        alarm=alarm,
        resolved=_resolution(counts, lines, level, began, alarm),
        level=level,
        further=further,
    )


def _resolution(counts: Counts, lines: Lines, level: int, began: int, alarm: int) -> int | None:
    """The hour after the alarm in which the mirrored CUSUM says that it is over.

    It adds up the log-likelihood ratio of the usual share p against the geometric mean of the
    tolerated share and the incident's share, on the alerting line, and is floored at 0.
    """
    usual, tolerated = lines.usual[:, level], lines.tolerated[:, level]
    bad, n = counts.bad[:, :, level], counts.n[:, :, level]
    during = slice(began, alarm + 1)
    expected = (n[during] * tolerated).sum()
    room = (n[during] * (1 - tolerated)).sum()
    further = np.clip((bad[during].sum() - expected) / max(room, 1.0), 1e-6, 1 - 1e-6)
    halfway = np.sqrt(tolerated * (tolerated + further * (1 - tolerated)))
    steps = log_ratio(bad, n, halfway, usual).sum(axis=1) / lines.effect[level]
    total = 0.0
    for hour in range(alarm + 1, len(steps)):
        total = max(0.0, total + float(steps[hour]))
        if total >= np.log(RESOLVED_AT):
            return hour
    return None


def _mean_exp(logs: NDArray[np.float64]) -> float:
    largest = float(logs.max())
    if largest == -np.inf:
        return 0.0
    log_mean = largest + float(np.log(np.exp(logs - largest).mean()))
    return float(np.exp(min(log_mean, _LARGEST_LOG)))

"""Many monitors' evidence at once, hour after hour: the arithmetic of the tail-evidence rule.

An hour costs a few array operations, however many monitors there are; only an incident is looked
at by itself. `alerts.evidence` explains what the numbers mean.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.cusum import FURTHER_SHARES, log_ratio, worse
from alerts.lines import Lines
from tailwatch.alert import ALL_TRAFFIC, Segment

RESOLVED_AT = 100.0
"""The likelihood ratio of "as in the baseline" against "as in the incident" that ends one."""

FOLLOWS_AT, FOLLOWS_FOR = 2.0, 12
"""The ratio that ends one in so many hours after the first other one of the same outputs ended."""

LARGEST_LOG = 700.0
"""Evidence is not counted beyond exp of it."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bank:
    """What is fixed about the monitors, one under another: rows are cells, levels are padded.

    Row r belongs to monitor `owner[r]`; a monitor's rows follow one another from `first`. Arrays
    over levels are as long as the longest; `counted` (rows x levels) says where there is a line.
    `about` are the series and segments.
    """

    about: tuple[tuple[Hashable, Segment], ...]
    owner: NDArray[np.int_]
    first: NDArray[np.int_]
    usual: _Floats
    tolerated: _Floats
    effect: _Floats
    counted: NDArray[np.bool_]
    if_bad: _Floats
    if_good: _Floats

    @classmethod
    def of(
        cls, monitors: Sequence[Lines], about: Sequence[tuple[Hashable, Segment]] | None = None
    ) -> "Bank":
        """The bank of these monitors, in their order.

        `about` are their series and segments; without it no two of them look at the same outputs.
        """
        levels = max((len(m.effect) for m in monitors), default=0)
        usual = _padded([m.usual for m in monitors], levels)
        tolerated = _padded([m.tolerated for m in monitors], levels)
        sizes = [len(m.usual) for m in monitors]
        alternative = worse(tolerated, FURTHER_SHARES)
        share = tolerated[..., None]
        has_line = [[line is not None for line in row] for m in monitors for row in m.lines]
        counted = np.zeros(usual.shape, dtype=np.bool_)
        for row, flags in enumerate(has_line):
            counted[row, : len(flags)] = flags
        effect = np.ones((len(monitors), levels))
        for number, monitor in enumerate(monitors):
            effect[number, : len(monitor.effect)] = monitor.effect
        return cls(
            about=tuple(about or ((number, ALL_TRAFFIC) for number in range(len(monitors)))),
            owner=np.repeat(np.arange(len(monitors)), sizes),
            first=np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, dtype=np.int_),
            usual=usual,
            tolerated=tolerated,
            effect=effect,
            counted=counted,
            if_bad=np.log(alternative / share),
            if_good=np.log((1 - alternative) / (1 - share)),
        )

    def __len__(self) -> int:
        return len(self.first)

    def rows(self, monitor: int) -> slice:
        """Where the monitor's cells are."""
        end = self.first[monitor + 1] if monitor + 1 < len(self) else len(self.owner)
        return slice(int(self.first[monitor]), int(end))

    def overlap(self, one: int, other: int) -> bool:
        """Whether two monitors are of one series, and not of two values of one field."""
        (series, segment), (other_series, other_segment) = self.about[one], self.about[other]
        same = segment == other_segment or segment.field != other_segment.field
        return series == other_series and same

    def summed(self, by_row: NDArray[np.float64]) -> _Floats:
        """Rows (the first axis) added up for each monitor."""
        return np.asarray(np.add.reduceat(by_row, self.first, axis=0), dtype=np.float64)


@dataclass(slots=True, kw_only=True)
class Ongoing:
    """An incident that is not over: hours of its onset and alarm, the line (`level`) and the
    alternative (`further`) with the most evidence, and the counts on that line since the onset.

    `usual` and `tolerated` are how many of the `n` outputs would be bad in the baseline, and at
    most without a word; `recovery` is how far the mirrored CUSUM has come, and `led` the hour in
    which the first other incident of the same outputs ended.
    """

    onset: int
    alarm: int
    level: int
    further: int
    bad: float
    n: float
    usual: float
    tolerated: float
    halfway: _Floats
    recovery: float = 0.0
    led: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Detectors:
    """Where the monitors stand: changed by `advance`, hour by hour.

    Over monitors x levels x further shares: `log_m` of the Shiryaev-Roberts detectors, and of
    their CUSUM the sum, the hour it began at, and the `counts` since (bad, n, usual, tolerated).
    """

    log_m: _Floats
    cusum: _Floats
    since: NDArray[np.int_]
    counts: _Floats
    evidence: _Floats
    outputs: _Floats
    """How many outputs each monitor has been shown."""
    ongoing: dict[int, Ongoing] = field(default_factory=dict)

    @classmethod
    def start(cls, bank: Bank) -> "Detectors":
        """Nothing seen yet."""
        shape = (*bank.effect.shape, len(FURTHER_SHARES))
        return cls(
            log_m=np.full(shape, -np.inf),
            cusum=np.zeros(shape),
            since=np.zeros(shape, dtype=np.int_),
            counts=np.zeros((4, *shape)),
            evidence=np.zeros(len(bank)),
            outputs=np.zeros(len(bank)),
        )

    def restart(self, monitor: int) -> None:
        """Forget what counted against a monitor."""
        self.log_m[monitor] = -np.inf
        self.cusum[monitor] = 0.0
        self.evidence[monitor] = 0.0
        self.ongoing.pop(monitor, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The monitors whose incident began or ended in an hour."""

    began: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()


def advance(
    bank: Bank, state: Detectors, hour: int, bad: _Floats, n: _Floats, alert_at: _Floats | float
) -> Turn:
    """One hour more. `hour` is its number; `bad` and `n` are its counts, rows x levels.

    A level of a monitor without outputs in the hour stays as it is. An incident begins where the
    evidence reaches `alert_at`, which may be another one for each monitor; when it is over the
    monitor starts afresh with the next hour.
    """
    if not len(bank):
        return Turn()
    per_row = bad[..., None] * bank.if_bad + (n - bad)[..., None] * bank.if_good
    ratio = bank.summed(per_row) / bank.effect[..., None]
    of_monitor = np.stack(
        [bank.summed(rows) for rows in (bad, n, n * bank.usual, n * bank.tolerated)]
    )
    seen = (of_monitor[1] > 0)[..., None]
    state.outputs += of_monitor[1].max(axis=1)
    state.log_m = np.where(seen, np.logaddexp(state.log_m, 0.0) + ratio, state.log_m)
    _follow_onsets(state, hour, ratio, of_monitor, seen)
    state.evidence = _mean_exp(state.log_m, bank.summed(bank.counted.astype(np.float64)) > 0)
    for monitor, incident in state.ongoing.items():
        _recover(bank, incident, monitor, bad, n)
    ended = _over(bank, state, hour)
    alarmed = np.flatnonzero(state.evidence >= alert_at).tolist()
    began = tuple(m for m in alarmed if m not in state.ongoing)
    for monitor in began:
        state.ongoing[monitor] = _incident(bank, state, monitor, hour)
    for monitor in ended:
        evidence = state.evidence[monitor]
        state.restart(monitor)
        state.evidence[monitor] = evidence
    return Turn(began=began, ended=tuple(ended))


def _follow_onsets(
    state: Detectors,
    hour: int,
    ratio: _Floats,
    of_monitor: _Floats,
    seen: NDArray[np.bool_],
) -> None:
    """The CUSUM of every detector: where it stood at zero, this hour is the first that counts."""
    afresh = seen & (state.cusum <= 0)
    state.since = np.where(afresh, hour, state.since)
    state.counts = np.where(afresh, 0.0, state.counts) + of_monitor[..., None]
    state.cusum = np.where(seen, np.maximum(0.0, state.cusum + ratio), state.cusum)


def _incident(bank: Bank, state: Detectors, monitor: int, hour: int) -> Ongoing:
    log_m = state.log_m[monitor]
    level, further = (int(i) for i in np.unravel_index(int(np.argmax(log_m)), log_m.shape))
    bad, n, usual, expected = (float(c) for c in state.counts[:, monitor, level, further])
    share = float(np.clip((bad - expected) / max(n - expected, 1.0), 1e-6, 1 - 1e-6))
    tolerated = bank.tolerated[bank.rows(monitor), level]
    return Ongoing(
        onset=int(state.since[monitor, level, further]),
        alarm=hour,
        level=level,
        further=further,
        bad=bad,
        n=n,
        usual=usual,
        tolerated=expected,
        halfway=np.sqrt(tolerated * (tolerated + share * (1 - tolerated))),
    )


def _over(bank: Bank, state: Detectors, hour: int) -> list[int]:
    """The incidents that end: by their own evidence, or soon after another of the same outputs.

    A monitor that sees a tenth of the outputs needs ten times the hours of all traffic to find out
    by itself that it is over. Once another has, its own outputs need only speak for it: while they
    are as bad as ever the CUSUM stands at log b or more in at most one of b hours (Lundberg).
    """
    ended: list[int] = []
    while True:
        news = [
            monitor
            for monitor, incident in state.ongoing.items()
            if monitor not in ended and incident.recovery >= np.log(_ends_at(incident, hour))
        ]
        if not news:
            return ended
        ended += news
        for monitor, incident in state.ongoing.items():
            if incident.led is None and any(bank.overlap(monitor, over) for over in news):
                incident.led = hour


def _ends_at(incident: Ongoing, hour: int) -> float:
    follows = incident.led is not None and hour - incident.led <= FOLLOWS_FOR
    return FOLLOWS_AT if follows else RESOLVED_AT


def _recover(bank: Bank, incident: Ongoing, monitor: int, bad: _Floats, n: _Floats) -> None:
    """Takes the hour into an incident and its mirrored CUSUM.

    The CUSUM adds up the log-likelihood ratio of the usual share p against the geometric mean of
    the tolerated share and the incident's, on the alerting line, and is floored at 0.
    """
    rows, level = bank.rows(monitor), incident.level
    k, of = bad[rows, level], n[rows, level]
    usual = bank.usual[rows, level]
    incident.bad += float(k.sum())
    incident.n += float(of.sum())
    incident.usual += float((of * usual).sum())
    incident.tolerated += float((of * bank.tolerated[rows, level]).sum())
    step = log_ratio(k, of, incident.halfway, usual).sum() / bank.effect[monitor, level]
    incident.recovery = max(0.0, incident.recovery + float(step))


def _mean_exp(logs: _Floats, counted: NDArray[np.bool_]) -> _Floats:
    """The mean over the levels that a monitor has, and over all further shares, of exp(logs)."""
    logs = np.where(counted[..., None], logs, -np.inf).reshape(len(logs), -1)
    largest = logs.max(axis=1, keepdims=True)
    finite = np.where(np.isfinite(largest), largest, 0.0)
    among = np.maximum(1, counted.sum(axis=1)) * len(FURTHER_SHARES)
    log_mean = finite[:, 0] + np.log(
        np.maximum(np.exp(logs - finite).sum(axis=1), np.finfo(np.float64).tiny) / among
    )
    mean = np.exp(np.minimum(log_mean, LARGEST_LOG))
    return np.where(np.isfinite(largest[:, 0]), mean, 0.0)


def _padded(shares: Sequence[_Floats], levels: int) -> _Floats:
    padded = np.full((sum(len(rows) for rows in shares), levels), 0.5)
    begin = 0
    for rows in shares:
        padded[begin : begin + len(rows), : rows.shape[1]] = rows
        begin += len(rows)
    return padded

"""Ways to bet against "as in the baseline": the log-likelihood ratios of every hour by detector.

Everything is over a family of five monitors: all traffic, whose cells are the four segments, and
each segment. A bet gives hours x monitors x detectors; `benchmarks.alert_variants` adds them up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.cusum import FURTHER_SHARES
from alerts.family import Family
from alerts.simulation import Hour
from benchmarks.alert_streams import SEGMENTS, WEEK_HOURS, Floats
from tailwatch.alert import ALL_TRAFFIC

MONITORS = 1 + len(SEGMENTS)
SMALLER = (0.015, *FURTHER_SHARES)
DEPTH_BETS = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How far outputs fall below the lowest quarter, as a share of that line, 0 for all others.

    Over the segments: the line, the usual mean depth, its 95 % upper limit or a tenth more, and
    the variance; over the monitors the design effect.
    """

    line: Floats
    usual: Floats
    limit: Floats
    variance: Floats
    effect: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Hours of a stream: outputs (hours x segments), the bad ones (with levels last) at the lines
    of every family, and the logarithms of what bets on depth won (with bets last).
    """

    families: dict[str, Family]
    shrunk: Floats
    depth_effect: Floats
    n: Floats
    bad: dict[str, Floats]
    won: Floats


Bet = Callable[[Seen], Floats]


def lines_bet(
    rule: str = "shipped",
    further: Sequence[float] = FURTHER_SHARES,
    weights: Sequence[float] | None = None,
    *,
    shrunk: bool = False,
) -> Bet:
    """Each line by itself, as shipped; `weights` (levels) add up to their number."""

    def bet(seen: Seen) -> Floats:
        tolerated = shares(seen.families[rule])
        bad, n = seen.bad[rule][..., None], seen.n[..., None, None]
        p = tolerated[..., None]
        a = p + np.asarray(further) * (1 - p)
        by_monitor = []
        for monitor, rows in enumerate(ROWS):
            gain, loss = np.log(a[monitor] / p[monitor]), np.log((1 - a) / (1 - p))[monitor]
            k, of = bad[:, rows], n[:, rows]
            ratio = (k * gain[rows] + (of - k) * loss[rows]).sum(axis=1)
            by_monitor.append(ratio / effects(seen, rule, shrunk=shrunk)[monitor][:, None])
        logs = np.stack(by_monitor, axis=1)
        starts = np.zeros(logs.shape[2]) if weights is None else np.log(weights)
        return with_weights(logs, starts)

    return bet


def joint_bet(
    rule: str = "shipped",
    shapes: Sequence[Sequence[float]] = ((0.25, 0.25, 0.25, 0.25),),
    further: Sequence[float] = FURTHER_SHARES,
) -> Bet:
    """The counts between the lines in one multinomial likelihood, for each shape of what is bad.

    A shape says with which weight an output that turned bad falls evenly below each line. Each
    ratio falls from bin to bin, so exp(L) has expectation at most 1 whenever every share is at most
    the tolerated one.
    """

    def bet(seen: Seen) -> Floats:
        tolerated = np.maximum.accumulate(shares(seen.families[rule]), axis=2)
        bad, n = seen.bad[rule], seen.n[..., None]
        between = np.diff(np.concatenate([bad, n], axis=2), axis=2, prepend=0.0)
        by_monitor = []
        for monitor, rows in enumerate(ROWS):
            effect = effects(seen, rule, shrunk=False)[monitor].max()
            found = []
            for shape in shapes:
                each = np.asarray(shape) / tolerated[monitor]
                ratio = np.cumsum(each[:, ::-1], axis=1)[:, ::-1]
                ratio = np.concatenate([ratio, np.zeros((len(ratio), 1))], axis=1)
                d = np.asarray(further)
                gain = np.log((1 - d) + d * ratio[..., None])
                found.append((between[:, rows, :, None] * gain[rows]).sum(axis=(1, 2)) / effect)
            by_monitor.append(np.concatenate(found, axis=1))
        return np.stack(by_monitor, axis=1)

    return bet


def depth_bet(seen: Seen) -> Floats:
    """The factors 1 + bet (depth - limit) of all outputs, with the design effect of depths."""
    by_monitor = [seen.won[:, rows].sum(axis=1) for rows in ROWS]
    return np.stack(by_monitor, axis=1) / seen.depth_effect[None, :, None]


def both(*bets: Bet) -> Bet:
    """The detectors of several bets, each with the same weight."""
    return lambda seen: np.concatenate([bet(seen) for bet in bets], axis=2)


def with_weights(logs: Floats, starts: Floats) -> Floats:
    """Levels and alternatives as one axis; a weight is a whole number of equal detectors."""
    times = np.round(np.exp(starts)).astype(int)
    repeated = np.repeat(logs, times, axis=2)
    return repeated.reshape(*repeated.shape[:2], -1)


ROWS: tuple[slice, ...] = (slice(0, 4), *(slice(i, i + 1) for i in range(4)))
"""The segments of each monitor."""


def shares(family: Family) -> Floats:
    """The tolerated shares, monitors x segments x levels; those of others repeat its own."""
    own = [family.monitors[segment].tolerated[0] for segment in SEGMENTS]
    whole = family.monitors[ALL_TRAFFIC].tolerated[[place(family, s) for s in range(4)]]
    return np.stack([whole, *(np.tile(each, (4, 1)) for each in own)])


def place(family: Family, segment: int) -> int:
    """The row of a segment among those of all traffic."""
    return family.monitors[ALL_TRAFFIC].segments.index(SEGMENTS[segment])


def effects(seen: Seen, rule: str, *, shrunk: bool) -> Floats:
    """The design effects, monitors x levels."""
    if shrunk:
        return seen.shrunk
    family = seen.families[rule]
    return np.stack([family.monitors[s].effect for s in (ALL_TRAFFIC, *SEGMENTS)])


def counts(family: Family, hours: Sequence[Hour]) -> tuple[Floats, Floats]:
    """The bad outputs, hours x segments x levels, and the outputs, hours x segments."""
    bad = np.zeros((len(hours), len(SEGMENTS), len(family.levels)))
    n = np.zeros((len(hours), len(SEGMENTS)))
    for row, segment in enumerate(SEGMENTS):
        below = []
        for line in family.monitors[segment].lines[0]:
            assert line is not None
            below.append(np.nextafter(line.score, np.inf) if line.inclusive else line.score)
        for number, hour in enumerate(hours):
            if segment in hour:
                bad[number, row] = np.searchsorted(hour[segment].values, below)
                n[number, row] = len(hour[segment].values)
    return bad, n


def dispersion(observed: Floats, expected: Floats, variance: Floats, *, less: float) -> Floats:
    """Chi-square over its degrees of freedom of hourly sums (hours first), the larger one of
    single hours and of blocks of six, at least 1; each less so many of its standard errors.
    """
    found = [np.ones(observed.shape[1:])]
    for block in (1, 6):
        begin = np.arange(0, len(observed), block)
        o, e, v = (np.add.reduceat(each, begin) for each in (observed, expected, variance))
        chi = ((o - e) ** 2 / np.maximum(v, 1e-12)).sum(axis=0) / (len(begin) - 1)
        found.append(chi * (1 - less * np.sqrt(2 / (WEEK_HOURS / block))))
    return np.asarray(np.max(found, axis=0))


def shrunk_effects(family: Family, bad: Floats, n: Floats) -> Floats:
    """Design effects less one standard error (monitors x levels): what is surely no chance."""
    whole = family.monitors[ALL_TRAFFIC].usual[[place(family, s) for s in range(4)]]
    found = []
    for monitor, rows in enumerate(ROWS):
        usual = whole if monitor == 0 else family.monitors[SEGMENTS[monitor - 1]].usual
        expected = n[:, rows, None] * usual
        variance = expected * (1 - usual)
        sums = [each.sum(axis=1) for each in (bad[:, rows], expected, variance)]
        found.append(dispersion(*sums, less=1.0))
    return np.stack(found)


def learn_depths(week: Sequence[Hour]) -> Depths:
    """What the depths of a baseline are."""
    scores = [np.concatenate([h[s].values for h in week if s in h]) for s in SEGMENTS]
    line = np.array([np.quantile(each, 0.25, method="inverted_cdf") for each in scores])
    depths = [depth(each, c) for each, c in zip(scores, line, strict=True)]
    usual = np.array([each.mean() for each in depths])
    variance = np.array([each.var() for each in depths])
    error = np.sqrt(variance / [len(each) for each in depths])
    sums = np.array(
        [
            [
                float(depth(h[s].values, c).sum()) if s in h else 0.0
                for s, c in zip(SEGMENTS, line, strict=True)
            ]
            for h in week
        ]
    )
    n = np.array([[len(h[s].values) if s in h else 0.0 for s in SEGMENTS] for h in week])
    columns = [
        np.concatenate([e.sum(axis=1, keepdims=True), e], axis=1)
        for e in (sums, n * usual, n * variance)
    ]
    return Depths(
        line=line,
        usual=usual,
        limit=np.maximum(np.maximum(usual + 1.645 * error, 1.1 * usual), 1e-4),
        variance=variance,
        effect=dispersion(*columns, less=0.0),
    )


def depth(scores: Sequence[float] | Floats, line: float) -> Floats:
    """How far below the line, as a share of it."""
    return np.maximum(0.0, line - np.asarray(scores)) / max(line, 1e-9)


def depths_won(depths: Depths, hours: Sequence[Hour]) -> Floats:
    """The logarithms of what the bets on depth won (hours x segments x bets)."""
    won = np.zeros((len(hours), len(SEGMENTS), len(DEPTH_BETS)))
    for row, segment in enumerate(SEGMENTS):
        for number, hour in enumerate(hours):
            if segment in hour:
                beyond = depth(hour[segment].values, depths.line[row]) - depths.limit[row]
                won[number, row] = np.log1p(beyond[:, None] * np.asarray(DEPTH_BETS)).sum(axis=0)
    return won

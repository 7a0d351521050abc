"""Seeded streams of scores as production has them, quiet or with a regression: what alert rules
are measured on.

Outputs are in four segments of the field `feature` (40, 25, 20 and 15 % of the traffic).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.simulation import Hour
from tailwatch.alert import ALL_TRAFFIC, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import Window

Floats = NDArray[np.float64]
Random = np.random.Generator

START = datetime(2026, 1, 5, tzinfo=UTC)
SERIES = Series(evaluator="score", version="1")
SEGMENTS = tuple(Segment(field="feature", value=v) for v in ("chat", "search", "email", "docs"))
SHARES = np.array([0.40, 0.25, 0.20, 0.15])
BAD_SEGMENT = 3
WEEK_HOURS = 168

_LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_MEANS = np.array([0.84, 0.80, 0.74, 0.66])
"""The mean score of each segment in the diurnal mix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How good outputs score (`usual`: random, segments, the hour's disturbance), how an output
    scores that turned bad, and what a slightly worse provider makes of a score.

    `diurnal` lets traffic and its mix follow the time of day; `noise` is the deviation of the
    hours' autocorrelated disturbances.
    """

    name: str
    usual: Callable[[Random, NDArray[np.int_], float], Floats]
    bad: Callable[[Random, int], Floats]
    worse: Callable[[Random, Floats], Floats]
    diurnal: bool = False
    noise: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """What goes wrong: a share of outputs turns bad, in all traffic or in one segment; `ramp` is
    how many hours it takes to get there; `step` makes every score slightly worse instead. It lasts
    `lasts` hours, after which `left` is the share that stays bad in the smallest segment.
    """

    name: str
    share: float = 0.0
    segment: int | None = None
    ramp: int = 0
    step: bool = False
    lasts: int = 10_000
    left: float = 0.0

    def at(self, hour: int) -> float:
        """The share that is bad `hour` hours after the change."""
        if not 0 <= hour < self.lasts:
            return 0.0
        return self.share * min(1.0, (hour + 1) / self.ramp) if self.ramp else self.share


QUIET = Regression(name="none")
REGRESSIONS = (
    Regression(name="5 %", share=0.05),
    Regression(name="10 %", share=0.10),
    Regression(name="ramp", share=0.10, ramp=72),
    Regression(name="step", step=True),
    Regression(name="seg", share=0.30, segment=BAD_SEGMENT),
)


def hours(
    stream: Stream,
    per_hour: int,
    random: Random,
    first: int,
    count: int,
    regression: Regression = QUIET,
    change: int = 0,
) -> Iterator[Hour]:
    """`count` hours from hour number `first` on; the regression begins `change` hours later."""
    noise = 0.0
    for hour in range(first, first + count):
        noise = 0.7 * noise + float(random.normal(0.0, stream.noise * np.sqrt(1 - 0.49)))
        n, shares = per_hour, SHARES
        if stream.diurnal:
            swing = float(np.sin(2 * np.pi * (hour % 24) / 24))
            n = int(random.poisson(per_hour * (1 + 0.6 * swing)))
            tilted = SHARES * np.array([1 + 0.5 * swing, 1.0, 1 - 0.5 * swing, 1 - 0.5 * swing])
            shares = tilted / tilted.sum()
        segments = random.choice(len(SEGMENTS), size=n, p=shares)
        scores = stream.usual(random, segments, noise)
        since = hour - first - change
        share = regression.at(since)
        segment = regression.segment
        if since >= regression.lasts and regression.left:
            share, segment = regression.left, BAD_SEGMENT
        if share:
            turned = random.random(n) < share
            if segment is not None:
                turned &= segments == segment
            scores[turned] = stream.bad(random, int(turned.sum()))
        if regression.step and 0 <= since < regression.lasts:
            scores = stream.worse(random, scores)
        yield _sampled(hour, segments, scores)


def _sampled(hour: int, segments: NDArray[np.int_], scores: Floats) -> Hour:
    start = START + timedelta(hours=hour)
    window = Window(start, start + timedelta(hours=1))

    def sample(segment: Segment, values: Floats) -> ScoreSample:
        return ScoreSample(
            series=SERIES, segment=segment, window=window, values=np.sort(values).tolist()
        )

    found = {ALL_TRAFFIC: sample(ALL_TRAFFIC, scores)}
    for number, segment in enumerate(SEGMENTS):
        mine = scores[segments == number]
        if len(mine):
            found[segment] = sample(segment, mine)
    return found


def _beta(low: float, high: float) -> Callable[[Random, int], Floats]:
    return lambda random, n: random.beta(low, high, n)


def _lower(by: float) -> Callable[[Random, Floats], Floats]:
    return lambda _, scores: np.maximum(0.0, scores - by)


def _sometimes(chance: float, by: float) -> Callable[[Random, Floats], Floats]:
    """Each score one step lower with a chance."""
    return lambda random, scores: np.maximum(
        0.0, np.round(scores - by * (random.random(len(scores)) < chance), 6)
    )


def _logistic(mean: float, noise: float) -> float:
    return float(1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + noise))))


def _levels(random: Random, segments: NDArray[np.int_], _: float) -> Floats:
    return random.choice(_LEVELS, size=len(segments), p=[0.01, 0.05, 0.12, 0.30, 0.52])


def _bimodal(random: Random, segments: NDArray[np.int_], _: float) -> Floats:
    n = len(segments)
    return np.where(random.random(n) < 0.1, random.beta(2, 8, n), random.beta(18, 3, n))


def _precision(random: Random, segments: NDArray[np.int_], _: float) -> Floats:
    return random.binomial(5, 0.8, len(segments)) / 5


def _mixed(random: Random, segments: NDArray[np.int_], _: float) -> Floats:
    mean = _MEANS[segments]
    return random.beta(12 * mean, 12 * (1 - mean))


def _noisy(random: Random, segments: NDArray[np.int_], noise: float) -> Floats:
    mean = _logistic(0.8, noise)
    return random.beta(10 * mean, 10 * (1 - mean), len(segments))


STREAMS: Sequence[Stream] = (
    Stream(
        name="Beta",
        usual=lambda random, segments, _: random.beta(8, 2, len(segments)),
        bad=_beta(2, 6),
        worse=_lower(0.06),
    ),
    Stream(
        name="5-level judge",
        usual=_levels,
        bad=lambda random, n: random.choice(_LEVELS[:2], size=n),
        worse=_sometimes(0.24, 0.25),
    ),
    Stream(name="bimodal", usual=_bimodal, bad=_beta(2, 8), worse=_lower(0.06)),
    Stream(
        name="pass/fail 95 %",
        usual=lambda random, segments, _: (random.random(len(segments)) >= 0.05).astype(float),
        bad=lambda _, n: np.zeros(n),
        worse=_sometimes(0.06, 1.0),
    ),
    Stream(
        name="precision@5",
        usual=_precision,
        bad=lambda random, n: random.binomial(5, 0.2, n) / 5,
        worse=_sometimes(0.3, 0.2),
    ),
    Stream(name="diurnal mix", usual=_mixed, bad=_beta(2, 6), worse=_lower(0.06), diurnal=True),
    Stream(name="noisy hours", usual=_noisy, bad=_beta(2, 6), worse=_lower(0.06), noise=0.12),
)

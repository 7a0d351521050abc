"""Streams made from a project's own outputs: as its baseline has them, or with some turned bad."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.lines import LEVELS, tail_line
from alerts.pooled_scores import PooledScores
from alerts.simulation import EPOCH, Hour
from tailwatch.alert import ALL_TRAFFIC, Direction, ScoreSample, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window

WORST = 0.01
"""Outputs that turn bad score as the worst so many of the baseline's."""

DAY = 24
_NEAR = 3
_ONE_SIDED = 1.645
_FIRST = 20_000 * DAY
"""The number of the first simulated hour, a midnight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """The scored outputs of a baseline, one entry each: its score, how many outputs it stands for,
    its hour from the beginning, and its value of each of `fields` (fields x outputs).
    """

    series: Series
    direction: Direction
    fields: tuple[str, ...]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    hours: NDArray[np.int_]
    values: NDArray[np.object_]

    @property
    def days(self) -> int:
        """How many days they are from, the last one perhaps not whole."""
        return int(self.hours.max()) // DAY + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A regression: so much of all outputs, or of those of a segment, turns bad at once."""

    share: float
    segment: Segment = ALL_TRAFFIC

    def __str__(self) -> str:
        return f"{100 * self.share:g} % of {self.segment} bad"


class Resampled:
    """Draws hours of outputs, with replacement, from those of a baseline.

    A simulated day takes its volume and its disturbances, hour by hour, from a day of the
    baseline. Of an hour's outputs the share w is drawn from that very hour and the rest from the
    hours of about the same time on all days, so that the mix follows the time of day. With
    w = sqrt(1 - 1 / phi), where phi is the Pearson dispersion of the hours' tail counts around
    those of their time of day, a simulated hour differs from the next as much as the baseline's
    hours truly do, and not by their chance as well. Outputs are drawn in proportion to their
    weights.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._by_hour = [np.flatnonzero(outputs.hours == h) for h in range(outputs.days * DAY)]
        self._about = [_about(outputs, time) for time in range(DAY)]
        self._own_hour = math.sqrt(1 - 1 / _dispersion(outputs, self._by_hour, self._about))
        sign = 1 if outputs.direction is Direction.HIGHER_IS_BETTER else -1
        order = np.argsort(sign * outputs.scores, kind="stable")
        self._worst = outputs.scores[order[: math.ceil(WORST * len(order))]]

    @property
    def direction(self) -> Direction:
        """Which way the scores are good."""
        return self._outputs.direction

    def hours(
        self,
        random: np.random.Generator,
        count: int,
        *,
        per_hour: int | None = None,
        skip: int = 0,
        turned: Turned | None = None,
        change: int = 0,
    ) -> Iterator[Hour]:
        """`count` hours, the first one `skip` hours from the beginning of simulated time.

        Each has `per_hour` outputs, or as many as the baseline's hour had. `turned` is from the
        hour `change` of them on.
        """
        day = 0
        for number in range(count):
            if number == 0 or (skip + number) % DAY == 0:
                day = int(random.integers(self._outputs.days))
            time = (skip + number) % DAY
            here = self._by_hour[day * DAY + time]
            volume = len(here) if per_hour is None else per_hour
            drawn = self._draw(random, here, self._about[time], volume)
            scores = self._outputs.scores[drawn].copy()
            if turned is not None and number >= change:
                bad = random.random(len(drawn)) < turned.share
                if turned.segment != ALL_TRAFFIC:
                    field = self._outputs.fields.index(turned.segment.field)
                    bad &= self._outputs.values[field, drawn] == turned.segment.value
                scores[bad] = random.choice(self._worst, size=int(bad.sum()))
            yield self._sampled(_FIRST + skip + number, drawn, scores)

    def _draw(
        self,
        random: np.random.Generator,
        here: NDArray[np.int_],
        about: NDArray[np.int_],
        size: int,
    ) -> NDArray[np.int_]:
        own = int(random.binomial(size, self._own_hour)) if len(here) else 0
        weights = self._outputs.weights
        parts = [
            random.choice(among, size=n, p=weights[among] / weights[among].sum())
            for among, n in ((here, own), (about, size - own))
            if n
        ]
        return np.concatenate([np.empty(0, dtype=np.int_), *parts])

    def _sampled(self, number: int, drawn: NDArray[np.int_], scores: NDArray[np.float64]) -> Hour:
        start = EPOCH + number * HOUR
        window = Window(start, start + timedelta(hours=1))

        def sample(segment: Segment, values: NDArray[np.float64]) -> ScoreSample:
            return ScoreSample(
                series=self._outputs.series,
                segment=segment,
                window=window,
                values=np.sort(values).tolist(),
            )

        found = {ALL_TRAFFIC: sample(ALL_TRAFFIC, scores)}
        for name, values in zip(self._outputs.fields, self._outputs.values[:, drawn], strict=True):
            for value in sorted({v for v in values.tolist() if v is not None}):
                segment = Segment(field=name, value=value)
                found[segment] = sample(segment, scores[values == value])
        return found


def _about(outputs: Outputs, time: int) -> NDArray[np.int_]:
    """The outputs of all days within three hours of a time of day; all of them if there is none."""
    apart = np.abs(outputs.hours % DAY - time)
    near = np.flatnonzero(np.minimum(apart, DAY - apart) <= _NEAR)
    return near if len(near) else np.arange(len(outputs.hours))


def _dispersion(
    outputs: Outputs, by_hour: Sequence[NDArray[np.int_]], about: Sequence[NDArray[np.int_]]
) -> float:
    """The mean over levels of chi-square over its degrees of freedom, hours against their time.

    It is the one-sided 95 % lower limit of it, and 1 or more: without good reason no hour is taken
    for disturbed.
    """
    plain = np.zeros(len(outputs.scores), dtype=np.bool_)
    pooled = PooledScores(
        values=outputs.scores, weights=outputs.weights, flagged=plain, bucketed=plain
    )
    hours = [hour for hour, found in enumerate(by_hour) if len(found)]
    n = np.array([len(by_hour[hour]) for hour in hours], dtype=np.float64)
    free = max(1, len(hours) - DAY)
    seen = []
    for level in LEVELS:
        line = tail_line(pooled, level, outputs.direction)
        if line is None:
            continue
        beyond = line.beyond(outputs.scores)
        usual = np.array([(beyond[a].sum() + 0.5) / (len(a) + 1) for a in about])
        p = usual[np.array(hours) % DAY]
        bad = np.array([beyond[by_hour[hour]].sum() for hour in hours])
        seen.append(float((((bad - n * p) ** 2) / (n * p * (1 - p))).sum() / free))
    limit = 1 + _ONE_SIDED * math.sqrt(2 / free)
    return max(1.0, float(np.mean(seen)) / limit) if seen else 1.0

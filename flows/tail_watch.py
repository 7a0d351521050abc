"""What the plan's tail-evidence rules watch: which series, under which rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.rules.tail_evidence import TailEvidence
from flows.parts import Parts, PlannedRule, measure_series
from tailwatch.alert import Direction, ScoreSample
from tailwatch.evaluation import Series
from tailwatch.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A series that a tail-evidence rule watches, in all traffic and in these fields' values."""

    series: Series
    direction: Direction
    rule: TailEvidence
    fields: tuple[str, ...]


def tail_rules(parts: Parts) -> list[tuple[PlannedRule, TailEvidence]]:
    """The plan's tail-evidence rules."""
    return [(p, p.rule) for p in parts.rules if isinstance(p.rule, TailEvidence)]


def watched_series(parts: Parts) -> dict[Series, Watched]:
    """Every series that one of them watches; of two rules for a series the first counts."""
    watched: dict[Series, Watched] = {}
    for planned, rule in tail_rules(parts):
        for series, direction in parts.directions.items():
            if planned.watches(series) and series not in watched:
                watched[series] = Watched(
                    series=series, direction=direction, rule=rule, fields=planned.segments
                )
    return watched


def samples_of(
    parts: Parts,
    series: Sequence[Series],
    window: Window,
    fields: Sequence[str],
    most_values: int | None = None,
) -> list[ScoreSample]:
    """The stored samples of scores and measures, by hour and segment.

    `most_values` of each field are looked at, the plan's number where it is not given.
    """
    store, source = parts.store, parts.source.name
    limit = parts.plan.max_segment_values if most_values is None else most_values
    measures = {measure_series(m) for m in parts.plan.measures}
    scored = [each for each in series if each not in measures]
    measured = [each.evaluator for each in series if each in measures]
    samples: list[ScoreSample] = []
    if scored:
        samples += store.score_samples(source, scored, window, fields, limit)
    if measured:
        samples += store.measure_samples(source, measured, window, fields, limit)
    return samples


def fields_of(watched: Mapping[Series, Watched]) -> list[str]:
    """The fields that any of the series is cut by."""
    return sorted({field for each in watched.values() for field in each.fields})

"""Scores over more than an hour, pooled from the stored samples: what people look at."""

from collections.abc import Sequence
from datetime import timedelta

from alerts.summaries import pool, summarize
from flows.parts import Parts, measure_series
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, ScoreSample, ScoreSummary, Segment
from tailwatch.errors import ConfigurationError
from tailwatch.evaluation import Series
from tailwatch.window import Window


def newest(store: Store, source: str, span: timedelta) -> Window:
    """The last `span` of evaluated time. Raises ConfigurationError when nothing is evaluated."""
    last = store.last_window(source)
    if last is None:
        raise ConfigurationError(
            f"no hour of the source {source!r} is evaluated yet; run `tailwatch run` or "
            "`tailwatch backfill` first"
        )
    return Window(last.end - span, last.end)


def named_series(parts: Parts, names: Sequence[str]) -> list[Series]:
    """The plan's series of those names, all of them when none is given.

    Raises ConfigurationError for a name that is not in the plan.
    """
    known = list(parts.directions)
    for name in names:
        if name not in {series.evaluator for series in known}:
            listed = ", ".join(sorted({series.evaluator for series in known}))
            raise ConfigurationError(
                f"{name!r} is neither an evaluator nor a measure of this plan; known: {listed}"
            )
    return [series for series in known if not names or series.evaluator in names]


def hourly_samples(
    parts: Parts, series: Series, window: Window, fields: Sequence[str]
) -> list[ScoreSample]:
    """One sample for each hour and segment in which the series has something, oldest first."""
    store, source, limit = parts.store, parts.source.name, parts.plan.max_segment_values
    if series in {measure_series(measure) for measure in parts.plan.measures}:
        return store.measure_samples(source, [series.evaluator], window, fields, limit)
    return store.score_samples(source, [series], window, fields, limit)


def pooled(
    parts: Parts, series: Series, window: Window, fields: Sequence[str]
) -> list[ScoreSummary]:
    """One summary for each segment over the whole window: all traffic first, then by segment."""
    by_segment: dict[Segment, list[ScoreSample]] = {}
    for sample in hourly_samples(parts, series, window, fields):
        by_segment.setdefault(sample.segment, []).append(sample)
    order = sorted(by_segment, key=lambda segment: (segment != ALL_TRAFFIC, segment))
    direction = parts.directions[series]
    return [summarize(pool(by_segment[segment]), direction) for segment in order]


def steps(
    samples: Sequence[ScoreSample], window: Window, step: timedelta
) -> list[ScoreSample | None]:
    """The samples of one segment pooled into steps of equal length; None for an empty step."""
    count = -(-(window.end - window.start) // step)
    groups: list[list[ScoreSample]] = [[] for _ in range(count)]
    for sample in samples:
        if sample.window.start in window:
            groups[(sample.window.start - window.start) // step].append(sample)
    return [pool(group) if group else None for group in groups]

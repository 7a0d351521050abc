from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from alerts.summaries import summarize
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Direction, Quantile, ScoreSample, ScoreSummary, Segment
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Skipped, SkipReason
from tailwatch.window import HOUR, Window
from tests.storage.examples import (
    BOTH_HOURS,
    FAITHFULNESS,
    HOUR_0,
    HOUR_1,
    NOW,
    SOURCE,
    evaluation,
    ref,
)

CHAT = Segment(field="feature", value="chat")


def sample(segment: Segment, hour: Window, *values: float, **counts: Any) -> ScoreSample:
    return ScoreSample(series=FAITHFULNESS, segment=segment, window=hour, values=values, **counts)


def test_samples_are_cut_by_hour_and_by_the_frequent_values(store: Store) -> None:
    traces = [("a", "chat"), ("b", "chat"), ("c", "search"), ("d", "chat"), ("e", None)]
    hours = [HOUR_0, HOUR_0, HOUR_0, HOUR_1, HOUR_1]
    store.record_listing(
        [
            ref(name, hour, feature=feature)
            for (name, feature), hour in zip(traces, hours, strict=True)
        ],
        NOW,
    )
    store.record(
        [
            evaluation("a", 0.9),
            evaluation("b", 0.1),
            evaluation("c", Skipped(reason=SkipReason.MISSING_OUTPUT)),
            evaluation("d", Failed(error_type="timeout", message=""), window=HOUR_1),
            evaluation("e", 0.4, window=HOUR_1),
            evaluation("not sampled", 0.0, inclusion_probability=None),
            evaluation("another series", 0.0, series=Series(evaluator="x", version="1")),
        ]
    )
    found = store.score_samples(SOURCE, [FAITHFULNESS], BOTH_HOURS, ["feature", "model"], 1)
    assert found == [
        sample(ALL_TRAFFIC, HOUR_0, 0.1, 0.9, skipped=1),
        sample(CHAT, HOUR_0, 0.1, 0.9),
        sample(ALL_TRAFFIC, HOUR_1, 0.4, failed=1),
        sample(CHAT, HOUR_1, failed=1),
    ]


def test_measures_cover_every_listed_trace(store: Store) -> None:
    store.record_listing(
        [
            ref("a", input_tokens=7, feature="chat"),
            ref("b", input_tokens=3),
            ref("c", feature="chat"),
        ],
        NOW,
    )
    found = store.measure_samples(SOURCE, ["input_tokens"], BOTH_HOURS, ["feature"], 5)
    assert [(s.segment, s.window, s.values, s.skipped) for s in found] == [
        (ALL_TRAFFIC, HOUR_0, (3.0, 7.0), 1),
        (CHAT, HOUR_0, (7.0,), 1),
    ]
    assert found[0].series == Series(evaluator="input_tokens", version="1")


def test_only_known_measures_and_segments_are_asked_for(store: Store) -> None:
    with pytest.raises(ValueError, match="'input' is not a measure; known: latency_ms"):
        store.measure_samples(SOURCE, ["input"], HOUR_0)
    with pytest.raises(ValueError, match="'output' is not a segment; known: feature"):
        store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0, ["output"])


def summary(hour: Window, segment: Segment = ALL_TRAFFIC, n: int = 3) -> ScoreSummary:
    probabilities = (0.05, 0.1, 0.5, 0.9, 0.95, 0.99)
    return ScoreSummary(
        series=FAITHFULNESS,
        segment=segment,
        window=hour,
        direction=Direction.HIGHER_IS_BETTER,
        n=n,
        skipped=1,
        failed=0,
        mean=1 / 3,
        quantiles=tuple(
            Quantile(probability=p, value=1e23 * p, low=None, high=1.0) for p in probabilities
        ),
        restated=n > 3,
    )


def test_summaries_come_back_by_hour_series_and_segment(store: Store) -> None:
    long = Segment(field="feature", value="y" * 5_000)
    written = [summary(HOUR_0), summary(HOUR_0, CHAT), summary(HOUR_0, long), summary(HOUR_1)]
    store.record_summaries(SOURCE, written[::-1], NOW)
    assert store.summaries(SOURCE, BOTH_HOURS) == written
    assert store.summaries(SOURCE, BOTH_HOURS, FAITHFULNESS, long) == [written[2]]
    assert store.summaries(SOURCE, HOUR_1, segment=ALL_TRAFFIC) == [written[3]]
    assert store.summaries("another", BOTH_HOURS) == []


def test_a_restated_summary_replaces_the_first(store: Store) -> None:
    store.record_summaries(SOURCE, [summary(HOUR_0)], NOW)
    store.record_summaries(SOURCE, [summary(HOUR_0, n=4)], NOW)
    assert store.summaries(SOURCE, BOTH_HOURS) == [summary(HOUR_0, n=4)]


def test_coverage_comes_back_and_is_replaced(store: Store) -> None:
    account = Coverage(
        series=FAITHFULNESS,
        window=HOUR_0,
        listed=10,
        eligible=9,
        sampled=8,
        scored=3,
        skipped={"missing_output": 2},
        failed={"timeout": 1, "Odd\x00Error": 1},
        unreadable=1,
        late=2,
    )
    store.record_coverage(SOURCE, [account])
    store.record_coverage(SOURCE, [account])
    assert store.coverage(SOURCE, BOTH_HOURS) == [account]


def test_results_are_kept_by_the_clock_hour_only(store: Store) -> None:
    half = Window(HOUR_0.start, NOW)
    with pytest.raises(ValueError, match="is not one"):
        store.record([evaluation("t", window=half)])


def test_the_hour_of_the_nth_score(store: Store) -> None:
    long = Segment(field="feature", value="x" * 3000)
    hours = [
        (CHAT, HOUR_0, [0.1, 0.2]),
        (CHAT, HOUR_1, [0.3]),
        (long, HOUR_1, [0.1, 0.2, 0.3]),
        (replace(CHAT, field="model"), HOUR_0, [0.1] * 5),
        (ALL_TRAFFIC, HOUR_0, [0.1]),
    ]
    samples = [sample(segment, hour, *values) for segment, hour, values in hours]
    summaries = [summarize(each, Direction.HIGHER_IS_BETTER) for each in samples]
    store.record_summaries(SOURCE, summaries, NOW)

    def hours_of(nth: int, until: datetime = HOUR_1.end) -> dict[Segment, Window]:
        found = store.hours_of_score(SOURCE, [FAITHFULNESS], ["feature"], until, nth)
        assert {series for series, _ in found} <= {FAITHFULNESS}
        return {segment: Window(hour, hour + HOUR) for (_, segment), hour in found.items()}

    assert hours_of(2) == {CHAT: HOUR_0, long: HOUR_1}
    assert hours_of(3) == {CHAT: HOUR_1, long: HOUR_1}
    assert hours_of(2, HOUR_0.end) == {CHAT: HOUR_0}
    assert store.hours_of_score(SOURCE, [], [], HOUR_1.end, 1) == {}


def test_first_scores_are_found_however_thin_they_come(store: Store) -> None:
    """Value by value, some with more hours than are read at once before their scores."""
    begin = HOUR_0.start
    thin, late, never = (Segment(field="feature", value=value) for value in ("b", "c", "d"))
    hours = [(CHAT, n, [0.5]) for n in range(60)]
    hours += [(thin, n, [0.5] if n % 10 == 9 else []) for n in range(200)]
    hours += [(late, n, [0.5, 0.5, 0.5] if n >= 130 else []) for n in range(140)]
    hours += [(never, n, [0.5]) for n in range(3)]
    store.record_summaries(
        SOURCE,
        [
            summarize(
                sample(segment, Window(begin + n * HOUR, begin + (n + 1) * HOUR), *values),
                Direction.HIGHER_IS_BETTER,
            )
            for segment, n, values in hours
        ],
        NOW,
    )
    found = store.hours_of_score(SOURCE, [FAITHFULNESS], ["feature"], begin + 500 * HOUR, 12)
    assert {segment: (hour - begin) / HOUR for (_, segment), hour in found.items()} == {
        CHAT: 11,
        thin: 119,
        late: 133,
    }

import pytest

from storage.records import RecordedOutcome
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Direction, Segment
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason, Usage
from tests.storage.examples import BOTH_HOURS, FAITHFULNESS, HOUR_0, NOW, SOURCE, evaluation, ref

USAGE = Usage(cost_usd=0.1, input_tokens=3, output_tokens=2**62, latency_ms=0.5)


@pytest.mark.parametrize(
    "outcome",
    [
        Score(value=0.1),
        Score(value=-1e-300, label="good", explanation="why", details={"a": [1, {}]}, usage=USAGE),
        Skipped(reason=SkipReason.OVER_BUDGET, detail="used up"),
        Skipped(reason=SkipReason.MISSING_OUTPUT),
        Failed(error_type="timeout", message="after 60 s", retryable=True, usage=USAGE),
        Failed(error_type="ValueError", message=""),
    ],
)
def test_every_outcome_comes_back_as_it_was(store: Store, outcome: Outcome) -> None:
    written = evaluation("t", outcome, span_id="s", inclusion_probability=None)
    store.record([written])
    assert store.evaluations(SOURCE, "t") == [written]


def test_recorded_says_what_each_trace_has(store: Store) -> None:
    store.record(
        [
            evaluation("scored", inclusion_probability=0.25),
            evaluation("skipped", Skipped(reason=SkipReason.OVER_BUDGET)),
            evaluation(
                "failed",
                Failed(error_type="timeout", message="m", retryable=True),
                inclusion_probability=None,
            ),
            evaluation("span only", span_id="s"),
        ]
    )
    assert store.recorded(SOURCE, [FAITHFULNESS], HOUR_0)[FAITHFULNESS] == {
        "scored": RecordedOutcome(kind="score", inclusion_probability=0.25, run_id="run"),
        "skipped": RecordedOutcome(
            kind="skipped", reason="over_budget", inclusion_probability=1.0, run_id="run"
        ),
        "failed": RecordedOutcome(kind="failed", reason="timeout", retryable=True, run_id="run"),
    }
    assert store.series_in(SOURCE, BOTH_HOURS) == [FAITHFULNESS]


def test_a_new_sample_takes_traces_in_and_leaves_others_out(store: Store) -> None:
    store.record([evaluation("a", 0.1, inclusion_probability=0.5), evaluation("b", 0.2)])
    store.set_sample(SOURCE, FAITHFULNESS, HOUR_0, {"b": 0.25, "not evaluated": 0.25})
    (sample,) = store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0)
    assert sample.values == (0.2,)
    assert store.evaluations(SOURCE, "a")[0].inclusion_probability is None
    assert store.evaluations(SOURCE, "b")[0].inclusion_probability == 0.25


def test_the_worst_are_the_low_scores_where_high_is_good(store: Store) -> None:
    store.record_listing(
        [ref("a", feature="chat", url="https://example.org/a"), ref("b", feature="search")], NOW
    )
    store.record([evaluation("a", 0.3), evaluation("b", 0.1), evaluation("unlisted", 0.9)])
    worst = [
        [
            trace.trace_id
            for trace in store.worst(SOURCE, FAITHFULNESS, segment, HOUR_0, direction, limit)
        ]
        for segment, direction, limit in (
            (ALL_TRAFFIC, Direction.HIGHER_IS_BETTER, 2),
            (ALL_TRAFFIC, Direction.LOWER_IS_BETTER, 2),
            (Segment(field="feature", value="chat"), Direction.HIGHER_IS_BETTER, 9),
        )
    ]
    assert worst == [["b", "a"], ["unlisted", "a"], ["a"]]


def test_the_worst_of_a_measure_come_from_all_listed_traces(store: Store) -> None:
    store.record_listing(
        [
            ref("cheap", cost_usd=0.01, feature="chat"),
            ref("dear", cost_usd=0.9, feature="search"),
            ref("unknown", cost_usd=None, feature="chat"),
        ],
        NOW,
    )
    cost = Series(evaluator="cost_usd", version="1")
    everything, chat = (
        store.worst(SOURCE, cost, segment, HOUR_0, Direction.LOWER_IS_BETTER)
        for segment in (ALL_TRAFFIC, Segment(field="feature", value="chat"))
    )
    assert [(trace.trace_id, trace.value) for trace in everything] == [
        ("dear", 0.9),
        ("cheap", 0.01),
    ]
    assert [trace.trace_id for trace in chat] == ["cheap"]

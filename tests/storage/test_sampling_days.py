"""What sampling learned stays as it was pinned, and scores come with what they stand for."""

from datetime import timedelta

import pytest

from storage.sampling_days import day_of
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Segment
from tailwatch.buckets import UsualLength
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Skipped, SkipReason
from tailwatch.trace import Status
from tailwatch.window import Window
from tests.storage.examples import FAITHFULNESS, HOUR_0, NOW, SOURCE, evaluation, ref

DAY = day_of(HOUR_0.start)
OTHER = Series(evaluator="other", version="1")
CHAT = Segment(field="feature", value="chat")


def test_what_was_pinned_first_counts(store: Store) -> None:
    store.pin_usual_length(SOURCE, HOUR_0.start, UsualLength(low=3, high=9))
    store.pin_usual_length(SOURCE, HOUR_0.end, UsualLength(low=1, high=2))
    store.pin_usual_length(SOURCE, DAY + timedelta(days=1), None)
    two_days = Window(HOUR_0.start, HOUR_0.end + timedelta(days=1))
    assert store.usual_lengths(SOURCE, two_days) == {
        DAY: UsualLength(low=3, high=9),
        DAY + timedelta(days=1): None,
    }
    assert store.usual_lengths("another", two_days) == {}

    store.pin_flagged_shares(SOURCE, HOUR_0.start, {FAITHFULNESS: 0.2})
    store.pin_flagged_shares(SOURCE, HOUR_0.start, {FAITHFULNESS: None, OTHER: None})
    store.pin_flagged_shares(SOURCE, HOUR_0.start, {})
    assert store.flagged_shares(SOURCE, HOUR_0.start) == {FAITHFULNESS: 0.2, OTHER: None}
    assert store.flagged_shares(SOURCE, DAY - timedelta(days=1)) == {}


def test_the_observed_length_is_from_p5_to_p95(store: Store) -> None:
    listed = [ref(f"t{n}", output_tokens=n) for n in range(1, 101)]
    store.record_listing([*listed, ref("unknown"), ref("unknown too")], NOW)
    assert store.observed_length(SOURCE, HOUR_0, 100) == UsualLength(low=6, high=96)
    assert store.observed_length(SOURCE, HOUR_0, 101) is None
    assert store.observed_length("another", HOUR_0, 0) is None


def test_flags_and_thumbs_are_measures_of_every_listed_trace(store: Store) -> None:
    store.pin_usual_length(SOURCE, HOUR_0.start, UsualLength(low=10, high=20))
    store.record_listing(
        [
            ref("usual", output_tokens=15, thumb=1.0),
            ref("long", output_tokens=21),
            ref("down", thumb=-1.0, feature="chat"),
            ref("error", status=Status.ERROR, feature="chat"),
            ref("retried", retried=True),
        ],
        NOW,
    )
    found = store.measure_samples(
        SOURCE, ["thumbs_down", "flagged", "output_tokens"], HOUR_0, ["feature"]
    )
    assert {(s.series.evaluator, s.segment): (s.values, s.skipped) for s in found} == {
        ("flagged", ALL_TRAFFIC): ((0.0, 1.0, 1.0, 1.0, 1.0), 0),
        ("flagged", CHAT): ((1.0, 1.0), 0),
        ("thumbs_down", ALL_TRAFFIC): ((0.0, 1.0), 3),
        ("thumbs_down", CHAT): ((1.0,), 1),
        ("output_tokens", ALL_TRAFFIC): ((15.0, 21.0), 3),
        ("output_tokens", CHAT): ((), 2),
    }


def test_no_trace_with_a_length_is_measured_as_flagged_or_not_before_a_length_is_usual(
    store: Store,
) -> None:
    store.pin_usual_length(SOURCE, HOUR_0.start, None)
    store.record_listing(
        [
            ref("some length", output_tokens=15),
            ref("error of some length", status=Status.ERROR, output_tokens=15),
            ref("error", status=Status.ERROR),
            ref("fine"),
        ],
        NOW,
    )
    (found,) = store.measure_samples(SOURCE, ["flagged"], HOUR_0)
    assert (found.values, found.skipped) == ((0.0, 1.0), 2)


def test_scores_come_with_what_they_stand_for(store: Store) -> None:
    """Two of 4 flagged traces and two of 36 normal ones: 2 and 18 traces a score."""
    store.record_listing(
        [
            ref("f1", thumb=-1.0, feature="chat"),
            ref("f2", thumb=-1.0),
            ref("n1", feature="chat"),
            ref("n2"),
        ],
        NOW,
    )
    chances = {"f1": 2 / 4, "f2": 2 / 4, "n1": 2 / 36, "n2": 2 / 36}
    values = {"f1": 0.1, "f2": 0.4, "n1": 0.9, "n2": 0.2}
    store.record(
        [evaluation(name, values[name], inclusion_probability=chances[name]) for name in values]
    )
    everything, chat = store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0, ["feature"])
    assert everything.values == (0.1, 0.2, 0.4, 0.9)
    assert everything.weights == pytest.approx((0.2, 1.8, 0.2, 1.8))
    assert chat.values == (0.1, 0.9)
    assert chat.weights == pytest.approx((0.2, 1.8))
    for sample, flagged in ((everything, (True, False, True, False)), (chat, (True, False))):
        assert sample.buckets is not None
        assert sample.buckets.flagged == flagged
        assert (sample.buckets.n_flagged, sample.buckets.n_normal) == (2, 2)
        assert sample.buckets.flagged_share == pytest.approx(0.1)
        assert sample.buckets.outputs == pytest.approx(40)


def test_a_failure_is_stood_in_for_by_its_own_bucket(store: Store) -> None:
    store.record(
        [
            evaluation("f1", 0.1, inclusion_probability=0.5),
            evaluation("f2", Failed(error_type="e", message=""), inclusion_probability=0.5),
            evaluation("n1", 0.9, inclusion_probability=0.1),
            evaluation("n2", Skipped(reason=SkipReason.MISSING_OUTPUT), inclusion_probability=0.1),
        ]
    )
    (sample,) = store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0)
    assert sample.values == (0.1, 0.9)
    assert sample.weights == pytest.approx((4 / 7, 10 / 7))
    assert sample.buckets is None


@pytest.mark.parametrize("chance", [0.2, 1.0])
def test_equal_chances_are_no_weights(store: Store, chance: float) -> None:
    store.record([evaluation(name, 0.5, inclusion_probability=chance) for name in ("a", "b")])
    (sample,) = store.score_samples(SOURCE, [FAITHFULNESS], HOUR_0)
    assert (sample.weights, sample.buckets) == (None, None)

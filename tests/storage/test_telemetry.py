"""What a collector is owed: every changed hour, and of each what was not sent."""

from datetime import timedelta

from storage.store import Store
from tailwatch.outcome import Failed, Skipped, SkipReason
from tailwatch.window import Window
from tests.storage.examples import (
    BOTH_HOURS,
    FAITHFULNESS,
    HOUR_0,
    HOUR_1,
    NOW,
    SOURCE,
    evaluation,
)


def change(store: Store, window: Window = HOUR_0, *, telemetry: bool = True) -> None:
    store.restate_summaries(SOURCE, window, [FAITHFULNESS], [], NOW, telemetry=telemetry)


def test_an_hour_is_owed_from_its_change_until_both_parts_are_sent(store: Store) -> None:
    change(store, telemetry=False)
    assert store.count_owed_telemetry(SOURCE) == 0
    change(store, BOTH_HOURS)
    change(store, HOUR_1)
    assert [owed.window for owed in store.owed_telemetry(SOURCE, "metrics")] == [HOUR_0, HOUR_1]
    (newest,) = store.owed_telemetry(SOURCE, "events", newest_first=True, limit=1)
    assert (newest.window, newest.change, newest.told, newest.place) == (HOUR_1, 2, {}, None)
    assert store.owed_telemetry("another", "events") == []
    store.note_events_sent(SOURCE, HOUR_1, {"run": (1, "t")}, change=newest.change)
    assert [owed.window for owed in store.owed_telemetry(SOURCE, "events")] == [HOUR_0]
    assert store.count_owed_telemetry(SOURCE) == 2
    store.note_metrics_sent(SOURCE, HOUR_1, newest.change)
    assert store.count_owed_telemetry(SOURCE) == 1


def test_a_change_while_it_is_sent_leaves_the_hour_owed(store: Store) -> None:
    change(store)
    (owed,) = store.owed_telemetry(SOURCE, "events")
    change(store)
    store.note_events_sent(SOURCE, HOUR_0, {"run": (1, "t")}, ["run", "x"])
    (again,) = store.owed_telemetry(SOURCE, "events")
    assert (again.told, again.place) == ({"run": (1, "t")}, ["run", "x"])
    store.note_events_sent(SOURCE, HOUR_0, owed.told, change=owed.change)
    (again,) = store.owed_telemetry(SOURCE, "events")
    assert (again.change, again.told, again.place) == (2, {}, None)


def test_pages_hold_each_evaluation_of_a_run_once(store: Store) -> None:
    other = "b\udc00'\x00"
    later = NOW + timedelta(minutes=1)
    store.record(
        [
            *(evaluation(f"t{n}", run_id=other) for n in range(7)),
            evaluation("late", run_id=other, evaluated_at=later),
            evaluation("of another run"),
            evaluation("of another hour", run_id=other, window=HOUR_1),
            evaluation("s", Skipped(reason=SkipReason.MISSING_OUTPUT), run_id=other),
            evaluation("f", Failed(error_type="timeout", message="late"), run_id=other),
        ]
    )
    stamps = store.telemetry_stamps(SOURCE, HOUR_0, ["score"])
    assert stamps == {"run": (1, NOW.isoformat()), other: (8, later.isoformat())}
    assert store.telemetry_stamps(SOURCE, HOUR_0, ["score", "failed"])[other][0] == 9
    found, after = [], None
    while page := store.evaluations_of_run(SOURCE, HOUR_0, other, ["score"], after, limit=3):
        found += [each.trace_id for each in page]
        series = page[-1].series
        after = (series.evaluator, series.version, series.judge, page[-1].evaluation_id)
    assert sorted(found) == ["late", *(f"t{n}" for n in range(7))]

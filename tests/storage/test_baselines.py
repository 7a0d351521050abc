"""Baselines and the counts under them: what is kept, what replaces what, what is forgotten."""

from dataclasses import replace
from datetime import datetime, timedelta

from storage.baselines import baseline_id
from storage.records import BaselineRecord, TailCount, TailHour, TailState
from storage.store import Store
from tailwatch.alert import ALL_TRAFFIC, Segment
from tailwatch.evaluation import Series
from tailwatch.window import HOUR, Window
from tests.storage.examples import NOW, SOURCE

START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
SERIES = Series(evaluator="faithfulness", version="1", judge="m")
LONG = Segment(field="feature", value="long\x00" + "x" * 500)
DAY = Window(START, START + timedelta(days=1))


def baseline(name: str = "first", **changes: object) -> BaselineRecord:
    record = BaselineRecord(
        baseline_id=baseline_id(SOURCE, SERIES, name),
        series=SERIES,
        status="pinned",
        start=START,
        end=START + timedelta(days=7),
        decided_at=NOW,
        who="ada",
        why="the first week",
        document={"levels": [0.02, 0.1], "monitors": []},
    )
    return replace(record, **changes)  # type: ignore[arg-type] # fields by name, in a test


def counted(store: Store, key: str, hour: datetime, bad: float, stamp: str = "1") -> None:
    counts = [
        TailCount(segment=segment, bad=[bad, bad + 0.5], n=[10.0, 20.0])
        for segment in (ALL_TRAFFIC, LONG)
    ]
    stated = TailHour(baseline_id=key, stamp=stamp, counts=counts, newcomers=[LONG])
    store.record_tail_hour(SOURCE, hour, [stated])


def test_a_baseline_comes_back_as_it_was(store: Store) -> None:
    learning = baseline(status="learning", end=None, document=None)
    for record in (learning, baseline()):
        store.record_baseline(SOURCE, record)
        assert store.baselines(SOURCE) == [record]
    assert store.baselines("another") == []


def test_a_new_baseline_supersedes_the_other_and_its_counts(store: Store) -> None:
    first, second = baseline(), baseline("second", decided_at=NOW + HOUR)
    store.record_baseline(SOURCE, first)
    counted(store, first.baseline_id, START, 1.0)
    store.record_baseline(SOURCE, second)
    assert store.baselines(SOURCE) == [second]
    assert store.baselines(SOURCE, everything=True) == [replace(first, status="superseded"), second]
    assert store.counted(SOURCE, DAY) == {}
    assert store.tail_counts(SOURCE, [first.baseline_id], DAY) == {}


def test_an_hour_counted_again_replaces_its_counts(store: Store) -> None:
    for bad, stamp in ((3.0, "1"), (4.0, "2")):
        counted(store, "b", START + HOUR, bad, stamp)
    assert store.counted(SOURCE, DAY) == {"b": {START + HOUR: "2"}}
    found = store.tail_counts(SOURCE, ["b"], DAY)
    assert found == {
        START + HOUR: [
            ("b", TailCount(segment=segment, bad=[4.0, 4.5], n=[10.0, 20.0]))
            for segment in (ALL_TRAFFIC, LONG)
        ]
    }
    assert store.newcomers(SOURCE, DAY) == {"b": {LONG}}
    assert store.newcomers(SOURCE, Window(START, START + HOUR)) == {}


def test_kept_evidence_goes_when_one_of_its_hours_is_counted_again(store: Store) -> None:
    for number in range(6):
        store.record_tail_state(
            SOURCE, TailState(hour=START + number * HOUR, key="k", state={"n": number})
        )
    assert store.tail_state(SOURCE, "k", START + 6 * HOUR) == TailState(
        hour=START + 5 * HOUR, key="k", state={"n": 5}
    )
    assert store.tail_state(SOURCE, "other", START + 6 * HOUR) is None
    counted(store, "b", START + 4 * HOUR, 1.0)
    kept = store.tail_state(SOURCE, "k", START + 6 * HOUR)
    assert kept is not None
    assert kept.hour == START + 3 * HOUR
    assert store.stats()["tail_states"] == 2


def test_when_a_value_was_first_in_the_traffic(store: Store) -> None:
    assert store.first_seen(SOURCE, "model") == {}

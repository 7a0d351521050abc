"""Canary runs in both stores: written twice they are there once, and read as they were written."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from alembic import command
from sqlalchemy import select

from storage.canaries import CanaryReference, CanaryRun, CanaryVerdict
from storage.canary_tables import CANARY_REFERENCES
from storage.store import Store
from tailwatch.evaluation import Series
from tailwatch.window import HOUR
from tests.storage.examples import NOW, SOURCE
from tests.storage.test_schema import config_for

SERIES = Series(evaluator="faithfulness", version="1", judge="judge-small")
OTHER = replace(SERIES, evaluator="refusal")
RUN = CanaryRun(run_id="r1", series=SERIES, started_at=NOW, golden="g.jsonl", items=3)
ENDED = replace(
    RUN,
    ended_at=NOW + HOUR,
    scored=2,
    reasons={"timeout": 1},
    agreed=1,
    labelled=2,
    probes=5,
    flipped=1,
    compared_with="r0",
    pairs=2,
    better=1,
    worse=0,
)
VERDICTS = [
    CanaryVerdict(
        item="a\x00", stamp="s", score=1.0, label="supported", expected=1.0, cost_usd=1e-4
    ),
    CanaryVerdict(item="b", stamp="s", score=None, reason="timeout"),
    CanaryVerdict(item="p", stamp="t", score=0.0, label="no", twin="a\x00", asks=1.0),
]


def test_a_run_is_updated_in_its_place(store: Store) -> None:
    for run in (RUN, ENDED, ENDED, replace(RUN, series=OTHER)):
        store.record_canary_run(SOURCE, run)
    store.record_canary_run("elsewhere", RUN)
    later = replace(RUN, run_id="r2", started_at=NOW + timedelta(days=1))
    store.record_canary_run(SOURCE, later)
    assert store.canary_runs(SOURCE) == [ENDED, replace(RUN, series=OTHER), later]
    assert store.canary_runs(SOURCE, "r2") == [later]


def test_verdicts_are_kept_by_item(store: Store) -> None:
    store.record_canary_verdicts(SOURCE, "r1", SERIES, [replace(VERDICTS[1], reason="unavailable")])
    store.record_canary_verdicts(SOURCE, "r1", SERIES, VERDICTS)
    store.record_canary_verdicts(SOURCE, "r1", OTHER, VERDICTS[:1])
    found = {verdict.item: verdict for verdict in store.canary_verdicts(SOURCE, "r1", SERIES)}
    assert found == {verdict.item: verdict for verdict in VERDICTS}
    assert store.canary_verdicts(SOURCE, "r1", OTHER) == VERDICTS[:1]
    assert store.canary_verdicts(SOURCE, "r2", SERIES) == []


@pytest.mark.parametrize("times", [1, 2])
def test_the_first_reference_is_pinned_once_and_later_ones_are_kept_beside_it(
    store: Store, times: int
) -> None:
    first = CanaryReference(
        series=SERIES, run_id="r1", decided_at=NOW, who="tailwatch", why="the first"
    )
    written = [store.pin_canary_reference(SOURCE, first, only_first=True) for _ in range(times)]
    assert written == [True, False][:times]
    second = replace(first, run_id="r2", decided_at=NOW + HOUR, who="ann", why="looked at it")
    assert not store.pin_canary_reference(SOURCE, second, only_first=True)
    for _ in range(times):
        assert store.pin_canary_reference(SOURCE, second)
    assert store.pin_canary_reference(SOURCE, replace(first, series=OTHER), only_first=True)
    mine = [r for r in store.canary_references(SOURCE) if r.series == SERIES]
    assert mine == [first, second]
    assert store.canary_references("elsewhere") == []


def test_of_two_first_references_pinned_at_once_one_is_there(store: Store) -> None:
    many = [replace(SERIES, version=str(number)) for number in range(20)]
    together = Barrier(2)

    def pin(number: int) -> list[bool]:
        written = []
        for series in many:
            reference = CanaryReference(
                series=series,
                run_id=f"r{number}",
                decided_at=NOW + number * HOUR,
                who="tailwatch",
                why="the first",
            )
            together.wait(timeout=60)
            written.append(store.pin_canary_reference(SOURCE, reference, only_first=True))
        return written

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(pin, (1, 2))
    assert [mine != theirs for mine, theirs in zip(one, other, strict=True)] == [True] * len(many)
    winners = {str(n): "r1" if mine else "r2" for n, mine in enumerate(one)}
    pinned = store.canary_references(SOURCE)
    assert len(pinned) == len(many)
    assert {each.series.version: each.run_id for each in pinned} == winners


def test_an_older_store_keeps_its_references_and_the_earliest_of_each_is_the_first(
    store: Store,
) -> None:
    first = CanaryReference(series=SERIES, run_id="r1", decided_at=NOW, who="tailwatch", why="")
    given = [
        first,
        replace(first, run_id="r2", decided_at=NOW + HOUR),
        replace(first, series=OTHER),
    ]
    for reference in given:
        store.pin_canary_reference(SOURCE, reference)
    command.downgrade(config_for(store), "0010")
    store.upgrade()
    assert sorted(store.canary_references(SOURCE), key=str) == sorted(given, key=str)
    columns = CANARY_REFERENCES.c
    with store.database.read() as connection:
        found = connection.execute(select(columns.evaluator, columns.run_id).where(columns.first))
        assert set(found.tuples()) == {("faithfulness", "r1"), ("refusal", "r1")}

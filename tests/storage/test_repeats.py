"""Recording is idempotent: twice, in parts or in another order gives the same tables."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from storage.store import Store
from storage.tables import EVALUATIONS, TRACES
from tailwatch.evaluation import Evaluation, Series
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason
from tests.storage.examples import HOUR_0, HOUR_1, NOW, evaluation, ref

FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
outcomes = st.one_of(
    st.builds(
        Score,
        value=st.floats(allow_nan=False, allow_infinity=False),
        label=st.none() | st.text(),
        details=st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=2),
    ),
    st.builds(Skipped, reason=st.sampled_from(SkipReason), detail=st.none() | st.text()),
    st.builds(Failed, error_type=st.text(), message=st.text(), retryable=st.booleans()),
)
evaluations = st.builds(
    evaluation,
    st.text(min_size=1),
    outcomes,
    series=st.builds(Series, evaluator=st.sampled_from("ab"), version=st.just("1")),
    window=st.sampled_from([HOUR_0, HOUR_1]),
    span_id=st.none() | st.text(max_size=3),
    inclusion_probability=st.none() | st.floats(0, 1),
)


def table(store: Store) -> list[dict[str, Any]]:
    with store.database.read() as connection:
        query = EVALUATIONS.select().order_by(EVALUATIONS.c.evaluation_id)
        return [dict(row) for row in connection.execute(query).mappings()]


def cleared(store: Store) -> Store:
    with store.database.write() as connection:
        connection.execute(EVALUATIONS.delete())
    return store


@FEW
@given(
    written=st.lists(evaluations, max_size=6, unique_by=lambda e: e.evaluation_id), data=st.data()
)
def test_any_split_order_and_repeat_gives_the_same_table(
    store: Store, written: list[Evaluation], data: st.DataObject
) -> None:
    cleared(store).record(written)
    at_once = table(store)
    cleared(store)
    again = data.draw(st.permutations(written + written[: data.draw(st.integers(0, 6))]))
    cut = data.draw(st.integers(0, len(again)))
    store.record(again[:cut])
    store.record(again[cut:])
    assert table(store) == at_once
    by_id = {row["evaluation_id"]: row for row in at_once}
    assert by_id.keys() == {e.evaluation_id for e in written}
    for one in written:
        assert one in store.evaluations(one.source, one.trace_id)


def test_an_older_evaluation_never_replaces_a_newer(store: Store) -> None:
    older = evaluation("t", 0.1, evaluated_at=NOW)
    newer = evaluation("t", 0.9, evaluated_at=NOW + timedelta(seconds=1))
    for order in ([older, newer], [newer, older]):
        cleared(store).record(order)
        assert store.evaluations("app", "t") == [newer]
        cleared(store)
        for one in order:
            store.record([one])
        assert store.evaluations("app", "t") == [newer]


def test_a_trace_listed_again_keeps_when_it_was_first_seen(store: Store) -> None:
    store.record_listing([ref("t", latency_ms=1.0)], NOW)
    store.record_listing([ref("t", latency_ms=2.0), ref("t", latency_ms=3.0)], NOW + timedelta(1))
    stored = store.trace("app", "t")
    assert stored is not None
    assert (stored.first_seen_at, stored.ref.latency_ms) == (NOW, 3.0)
    with store.database.read() as connection:
        assert len(connection.execute(TRACES.select()).all()) == 1


@pytest.mark.parametrize(
    ("later", "stays"),
    [
        (Skipped(reason=SkipReason.OVER_BUDGET), True),
        (Skipped(reason=SkipReason.NOT_CONFIGURED), True),
        (Failed(error_type="timeout", message="slow", retryable=True), True),
        (Failed(error_type="out_of_scale", message="scored 7"), False),
        (Skipped(reason=SkipReason.MISSING_OUTPUT), False),
        (Score(value=0.25), False),
    ],
)
def test_a_score_gives_way_to_a_verdict_and_not_to_an_attempt_that_came_to_nothing(
    store: Store, later: Outcome, stays: bool
) -> None:
    scored = evaluation("t", 0.9)
    again = evaluation("t", later, evaluated_at=NOW + timedelta(seconds=1))
    store.record([scored])
    store.record([again])
    assert store.evaluations(scored.source, "t") == [scored if stays else again]


def test_an_attempt_that_came_to_nothing_is_recorded_where_there_is_no_score(store: Store) -> None:
    failed = evaluation("t", Failed(error_type="timeout", message="slow", retryable=True))
    over = evaluation(
        "t", Skipped(reason=SkipReason.OVER_BUDGET), evaluated_at=NOW + timedelta(seconds=1)
    )
    store.record([failed])
    store.record([over])
    assert store.evaluations(failed.source, "t") == [over]


def test_a_read_sees_one_state_of_the_store(store: Store) -> None:
    store.record([evaluation("before")])
    query = select(func.count()).select_from(EVALUATIONS)
    with store.database.read() as connection:
        first = connection.execute(query).scalar_one()
        store.record([evaluation("meanwhile")])
        assert connection.execute(query).scalar_one() == first

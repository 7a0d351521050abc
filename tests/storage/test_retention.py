"""What is forgotten, what stays, and that it can be stopped between two hours."""

from datetime import datetime

import pytest
from sqlalchemy import text

from storage.canaries import CanaryReference, CanaryRun, CanaryVerdict
from storage.retention import Forgotten
from storage.store import Store
from tailwatch.evaluation import Series
from tailwatch.outcome import Failed, Score
from tailwatch.trace import FetchError
from tailwatch.window import HOUR, Window
from tests.builders import make_trace
from tests.storage.examples import FAITHFULNESS, HOUR_0, NOW, SOURCE, evaluation

FAILING = Series(evaluator="relevance", version="1", judge="judge-small")
HOURS = [Window(HOUR_0.start + n * HOUR, HOUR_0.end + n * HOUR) for n in range(4)]
BEFORE = HOURS[2].start
DAY = Window(HOURS[0].start, HOURS[-1].end)


def fill(store: Store) -> None:
    """A trace with texts, a score and a failure in each of four hours, two of them old."""
    for number, window in enumerate(HOURS):
        trace = make_trace(
            source=SOURCE, trace_id=f"t{number}", start_time=window.start, output="a secret answer"
        )
        store.record_listing([trace.ref], NOW)
        store.record_texts([trace])
        score = Score(value=0.5, explanation="a secret", details={"why": "a secret", "n": number})
        failure = Failed(error_type="timeout", message="a secret")
        store.record([evaluation(trace.trace_id, score, window=window)])
        store.record([evaluation(trace.trace_id, failure, series=FAILING, window=window)])
        error = FetchError(source=SOURCE, location=f"f:{number}", message="no JSON")
        store.record_fetch_errors([error], "run", window.start)


def secrets(store: Store) -> int:
    """In how many rows of any table the secret stands."""
    found = 0
    with store.database.read() as connection:
        for name in store.stats():
            for row in connection.execute(text(f"SELECT * FROM {name}")):  # noqa: S608
                found += "secret" in str(tuple(row))
    return found


def test_texts_go_from_everywhere_and_numbers_stay(store: Store) -> None:
    fill(store)
    assert secrets(store) == 12
    rehearsed = store.forget_texts(SOURCE, BEFORE, rehearse=True)
    assert (rehearsed.texts, secrets(store)) == (2, 12)
    assert store.forget_texts(SOURCE, BEFORE) == rehearsed
    assert secrets(store) == 6
    score, failure = store.evaluations(SOURCE, "t1")
    assert score.outcome == Score(value=0.5, details={"why": None, "n": 1})
    assert isinstance(failure.outcome, Failed)
    assert failure.outcome.message == "(text not kept)"
    assert store.forget_texts(SOURCE, BEFORE) == Forgotten()


def test_old_traces_go_with_all_that_is_about_them(store: Store) -> None:
    fill(store)
    expected = Forgotten(evaluations=4, traces=2, unreadable=2)
    assert store.forget_scores(SOURCE, BEFORE, rehearse=True) == expected
    before = store.stats()
    assert store.forget_scores(SOURCE, BEFORE) == expected
    after = store.stats()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"traces", "evaluations", "fetch_errors"}
    assert store.evaluations(SOURCE, "t1") == []
    assert len(store.evaluations(SOURCE, "t2")) == 2
    assert store.forget_scores(SOURCE, BEFORE) == Forgotten()
    assert store.forget_scores("another", NOW) == Forgotten()


def test_one_that_is_stopped_leaves_whole_hours_and_goes_on(store: Store) -> None:
    fill(store)

    def stop(_: datetime) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.forget_scores(SOURCE, BEFORE, on_hour=stop)
    assert store.evaluations(SOURCE, "t0") == []
    assert len(store.evaluations(SOURCE, "t1")) == 2
    assert store.forget_scores(SOURCE, BEFORE).evaluations == 2
    samples = store.score_samples(SOURCE, [FAITHFULNESS], DAY)
    assert [sample.window for sample in samples] == HOURS[2:]


def test_verdicts_of_old_canaries_go_but_for_those_that_are_needed(store: Store) -> None:
    for number, window in enumerate(HOURS):
        for series in (FAITHFULNESS, FAILING):
            run = CanaryRun(
                run_id=f"r{number}", series=series, started_at=window.start, golden="g", items=3
            )
            store.record_canary_run(SOURCE, run)
            verdicts = [CanaryVerdict(item=item, stamp="s", score=1.0) for item in "abc"]
            store.record_canary_verdicts(SOURCE, run.run_id, series, verdicts)
    reference = CanaryReference(
        series=FAITHFULNESS, run_id="r0", decided_at=HOURS[0].end, who="tailwatch", why="the first"
    )
    store.pin_canary_reference(SOURCE, reference)
    needed = {(FAITHFULNESS, "r0")}
    runs, expected = store.canary_runs(SOURCE), Forgotten(canary_verdicts=9)
    assert store.forget_canary_verdicts(SOURCE, BEFORE, needed, rehearse=True) == expected
    assert store.stats()["canary_verdicts"] == 24
    assert store.forget_canary_verdicts("another", NOW, ()) == Forgotten()
    assert store.forget_canary_verdicts(SOURCE, BEFORE, needed) == expected
    left = {
        (series.evaluator, run.run_id)
        for run in runs
        for series in (FAITHFULNESS, FAILING)
        if store.canary_verdicts(SOURCE, run.run_id, series)
    }
    new = {(series.evaluator, run) for series in (FAITHFULNESS, FAILING) for run in ("r2", "r3")}
    assert left == {*new, ("faithfulness", "r0")}
    assert store.canary_runs(SOURCE) == runs
    assert store.canary_references(SOURCE) == [reference]
    assert store.forget_canary_verdicts(SOURCE, BEFORE, needed) == Forgotten()


def test_a_table_has_a_size(store: Store) -> None:
    fill(store)
    sizes = store.table_sizes()
    assert sizes["evaluations"].rows == 8
    assert (sizes["evaluations"].size_bytes or 0) >= 8 * 100

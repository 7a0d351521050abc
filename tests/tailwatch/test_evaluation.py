"""Evaluation ids: pinned, and different for whatever makes another evaluation."""

from dataclasses import replace

import pytest

from tailwatch.evaluation import Evaluation, Series, evaluation_id
from tailwatch.outcome import Score, Skipped, SkipReason
from tailwatch.window import Window
from tests.builders import START

NDCG = Series(evaluator="ndcg@10", version="1")
JUDGED = Series(evaluator="faithfulness", version="2", judge="m")


@pytest.mark.parametrize(
    ("series", "span_id", "expected"),
    [
        (NDCG, None, "055bca11f3d03a26571c07a8e7636983"),
        (JUDGED, "s1", "342ae022ea6e59f4aaf209e32c9ef0a6"),
    ],
)
def test_ids_never_change(series: Series, span_id: str | None, expected: str) -> None:
    """A change of any of these would record every evaluation a second time."""
    assert evaluation_id("prod", "trace-1", series, span_id) == expected


def test_whatever_differs_gives_another_id() -> None:
    ids = {
        evaluation_id("prod", "trace-1", NDCG),
        evaluation_id("prod", "trace-1", NDCG, "s1"),
        evaluation_id("prod", "trace-2", NDCG),
        evaluation_id("test", "trace-1", NDCG),
        evaluation_id("prod", "trace-1", replace(NDCG, evaluator="ndcg@5")),
        evaluation_id("prod", "trace-1", replace(NDCG, version="2")),
        evaluation_id("prod", "trace-1", replace(NDCG, judge="m")),
        evaluation_id("prod\ntrace-1", "", NDCG),
        evaluation_id("prod", "trace-1\ud800", NDCG),
    }
    assert len(ids) == 9


def test_the_outcome_and_the_run_do_not_matter() -> None:
    one = Evaluation(
        source="prod",
        trace_id="trace-1",
        series=NDCG,
        outcome=Score(value=0.5),
        window=Window.hour_of(START),
        inclusion_probability=1.0,
        run_id="run-1",
        evaluated_at=START,
    )
    skipped = Skipped(reason=SkipReason.MISSING_DOCUMENTS)
    assert replace(one, outcome=skipped, run_id="run-2").evaluation_id == one.evaluation_id


def test_a_series_reads_as_a_line() -> None:
    assert str(JUDGED) == "faithfulness v2 m"
    assert str(NDCG) == "ndcg@10 v1"

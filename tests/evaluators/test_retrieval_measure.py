"""The retrieval measures against the two programs the field trusts, and at their edges."""

from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from evaluators.graded_rankings import grade_rankings, without_repeats
from evaluators.ranking_measures import Gain
from evaluators.retrieval_measure import Measure, MeasureKind, evaluate_rankings

DOCUMENTS = [f"d{i}" for i in range(12)]

rankings_ = st.lists(st.sampled_from(DOCUMENTS), unique=True, min_size=1)
judgements_ = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-1, 3), min_size=1)
queries_ = st.lists(st.tuples(rankings_, judgements_), min_size=1, max_size=6)
depths_ = st.integers(1, 15)
Queries = list[tuple[list[str], dict[str, int]]]


def values(measure: Measure, queries: Queries) -> list[float]:
    rankings, judgements = [q[0] for q in queries], [q[1] for q in queries]
    found: list[float] = evaluate_rankings(rankings, judgements, {"it": measure})["it"].tolist()
    return found


def as_run(queries: Queries) -> dict[str, dict[str, float]]:
    return {
        str(i): {document: -float(rank) for rank, document in enumerate(ranking)}
        for i, (ranking, _) in enumerate(queries)
    }


def as_qrels(queries: Queries) -> dict[str, dict[str, int]]:
    return {str(i): judgements for i, (_, judgements) in enumerate(queries)}


@pytest.mark.parametrize("min_grade", [1, 2, 3])
@given(queries=queries_, k=depths_)
def test_the_set_measures_are_those_of_trec_eval(queries: Queries, k: int, min_grade: int) -> None:
    theirs = {
        MeasureKind.PRECISION: f"P_{k}",
        MeasureKind.RECALL: f"recall_{k}",
        MeasureKind.HIT_RATE: f"success_{k}",
        MeasureKind.AVERAGE_PRECISION: f"map_cut_{k}",
    }
    trec = pytrec_eval.RelevanceEvaluator(
        as_qrels(queries),
        {f"P.{k}", f"recall.{k}", f"success.{k}", f"map_cut.{k}", "map", "recip_rank"},
        relevance_level=min_grade,
    ).evaluate(as_run(queries))
    whole = {MeasureKind.RECIPROCAL_RANK: "recip_rank", MeasureKind.AVERAGE_PRECISION: "map"}
    for depth, names in ((k, theirs), (None, whole)):
        for kind, name in names.items():
            ours = values(Measure(kind=kind, k=depth, min_grade=min_grade), queries)
            expected = [trec[str(i)][name] for i in range(len(queries))]
            assert ours == pytest.approx(expected, rel=0, abs=1e-12), name


@given(queries=queries_, k=depths_)
def test_ndcg_is_that_of_trec_eval(queries: Queries, k: int) -> None:
    name = f"ndcg_cut_{k}"
    trec = pytrec_eval.RelevanceEvaluator(as_qrels(queries), {f"ndcg_cut.{k}"})
    scored = trec.evaluate(as_run(queries))
    expected = [scored[str(i)][name] for i in range(len(queries))]
    assert values(Measure(kind=MeasureKind.NDCG, k=k), queries) == pytest.approx(
        expected, rel=0, abs=1e-12
    )


@given(queries=queries_, k=depths_)
def test_exponential_gain_is_trec_eval_on_the_gains(queries: Queries, k: int) -> None:
    gains = [(r, {d: 2 ** max(g, 0) - 1 for d, g in graded.items()}) for r, graded in queries]
    trec = pytrec_eval.RelevanceEvaluator(as_qrels(gains), {f"ndcg_cut.{k}"})
    scored = trec.evaluate(as_run(gains))
    expected = [scored[str(i)][f"ndcg_cut_{k}"] for i in range(len(queries))]
    measure = Measure(kind=MeasureKind.NDCG, k=k, gain=Gain.EXPONENTIAL)
    assert values(measure, queries) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Measure(kind=MeasureKind.RECIPROCAL_RANK, k=3), ir_measures.RR @ 3),
        (Measure(kind=MeasureKind.AVERAGE_PRECISION, k=4, min_grade=2), ir_measures.AP(rel=2) @ 4),
        (Measure(kind=MeasureKind.NDCG, k=5), ir_measures.nDCG @ 5),
        (Measure(kind=MeasureKind.HIT_RATE, k=2), ir_measures.Success @ 2),
    ],
)
@given(queries=queries_)
def test_the_measures_are_those_of_ir_measures(
    ours: Measure, theirs: Any, queries: Queries
) -> None:
    rows = ir_measures.iter_calc([theirs], as_qrels(queries), as_run(queries))
    scored = {row.query_id: row.value for row in rows}
    expected = [scored[str(i)] for i in range(len(queries))]
    assert values(ours, queries) == pytest.approx(expected, rel=0, abs=1e-12)


@given(queries=queries_, k=depths_, scale=st.sampled_from([1, 90, 254, 255, 256, 1000]))
def test_the_size_of_the_grades_does_not_matter(queries: Queries, k: int, scale: int) -> None:
    larger = [(ranking, {d: g * scale for d, g in graded.items()}) for ranking, graded in queries]
    ndcg = Measure(kind=MeasureKind.NDCG, k=k)
    assert values(ndcg, larger) == pytest.approx(values(ndcg, queries), rel=0, abs=1e-12)


@given(queries=queries_, k=depths_)
def test_a_condensed_list_is_the_list_of_judged_documents(queries: Queries, k: int) -> None:
    measure = Measure(kind=MeasureKind.NDCG, k=k)
    condensed = grade_rankings([q[0] for q in queries], [q[1] for q in queries], condense=True)
    by_hand: Queries = [([d for d in r if d in graded], graded) for r, graded in queries]
    assert measure.values(condensed).tolist() == values(measure, by_hand)


def test_many_queries_are_the_same_as_each_alone() -> None:
    generator = np.random.default_rng(7)
    queries: Queries = [
        (
            list(generator.permutation(DOCUMENTS)[: generator.integers(1, 12)]),
            dict(zip(DOCUMENTS, generator.integers(0, 4, 8).tolist(), strict=False)),
        )
        for _ in range(9000)
    ]
    measure = Measure(kind=MeasureKind.NDCG, k=5)
    together = values(measure, queries)
    assert len(together) == 9000
    for row in (0, 8191, 8192, 8999):
        assert [together[row]] == values(measure, [queries[row]])


def test_a_perfect_ranking_is_never_above_one() -> None:
    best: Queries = [(DOCUMENTS[:n], dict.fromkeys(DOCUMENTS[:n], 3)) for n in range(1, 13)]
    assert all(0.999999 < v <= 1 for k in (1, 3, 10) for v in values(_ndcg(k), best))


@pytest.mark.parametrize("kind", MeasureKind)
def test_no_queries_and_empty_lists(kind: MeasureKind) -> None:
    measure = Measure(kind=kind, k=3)
    assert values(measure, []) == []
    assert values(measure, [([], {"a": 1}), ([], {})]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("kind", "k", "undecided"),
    [
        (MeasureKind.PRECISION, 3, [1, 2]),
        (MeasureKind.NDCG, 5, [1, 2, 4]),
        (MeasureKind.AVERAGE_PRECISION, None, [1, 2, 4]),
        (MeasureKind.HIT_RATE, 3, [1, 2]),
        (MeasureKind.HIT_RATE, 5, [1, 2]),
        (MeasureKind.RECIPROCAL_RANK, None, [1, 2]),
        (MeasureKind.PRECISION, 1, []),
    ],
)
def test_which_unjudged_documents_could_change_the_value(
    kind: MeasureKind, k: int | None, undecided: list[int]
) -> None:
    ranking = ["bad", None, "new", "good", "newer"]
    graded = grade_rankings([ranking], [{"good": 1, "bad": 0}])
    assert np.flatnonzero(Measure(kind=kind, k=k).undecided(graded)[0]).tolist() == undecided


def test_a_document_counts_where_it_first_stands() -> None:
    assert without_repeats(["a", None, "b", "a", None, "b"]) == ["a", None, "b", None]


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": None}, {"k": 3, "min_grade": 0}])
def test_a_measure_refuses_what_it_cannot_mean(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"depth"):
        Measure(kind=MeasureKind.PRECISION, **wrong)


def test_lists_and_judgements_must_pair() -> None:
    with pytest.raises(ValueError, match="2 rankings, but judgements of 1 queries"):
        evaluate_rankings([["a"], ["b"]], [{}], {})


def _ndcg(k: int) -> Measure:
    return Measure(kind=MeasureKind.NDCG, k=k)

"""The retrieval evaluators: where judgements come from, and what is not scored and why."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from evaluators import relevance, retrieval
from evaluators.graded_rankings import Judgements
from evaluators.index import build_evaluator
from evaluators.relevance import JudgedRelevance
from evaluators.retrieval_measure import Measure, MeasureKind
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason, Usage
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import Evaluator, EvaluatorTools, JudgeQuestion, Qrels, Verdict
from tailwatch.trace import RetrievedDocument, SpanKind, Trace
from tests.builders import make_document, make_span, make_trace

QRELS: Qrels = {
    "How do refunds work?": {"a": 3, "b": 0, "c": 1, "z": 2},
    "17": {"b": 1, "a": 0},
    "nothing fits": {"a": 0, "b": 0},
}


def documents(*ids: str | None) -> tuple[RetrievedDocument, ...]:
    return tuple(make_document(rank=rank, id=id_) for rank, id_ in enumerate(ids))


def asked(*ids: str | None, **fields: Any) -> Trace:
    return make_trace(
        **{"input": "How do refunds work?", "documents": documents(*ids), "metadata": {}} | fields
    )


def build(use: str, qrels: Qrels | None = QRELS, **options: Any) -> Evaluator:
    return build_evaluator(EvaluatorPlan(use=use, options=options), EvaluatorTools(qrels=qrels))


def outcome(evaluator: Evaluator, trace: Trace) -> Outcome:
    (only,) = asyncio.run(evaluator.evaluate([trace]))
    return only


@pytest.mark.parametrize(
    ("use", "options", "ids", "value"),
    [
        ("precision@2", {}, "ab", 0.5),
        ("precision@4", {}, "ab", 0.25),
        ("precision@2", {"min_grade": 2}, "ca", 0.5),
        ("recall@2", {}, "ab", 1 / 3),
        ("hit_rate@1", {}, "ba", 0.0),
        ("reciprocal_rank", {}, "bca", 0.5),
        ("reciprocal_rank@1", {}, "bca", 0.0),
        ("average_precision", {}, "abc", (1 + 2 / 3) / 3),
        ("ndcg@1", {}, "c", 1 / 3),
        ("ndcg@1", {"gain": "exponential"}, "c", 1 / 7),
        ("precision@2", {}, "aab", 0.5),
        ("precision@2", {"unjudged": "not_relevant"}, "xab", 0.5),
        ("precision@2", {"unjudged": "condense"}, "xac", 1.0),
        ("reciprocal_rank", {}, "axy", 1.0),
        ("hit_rate@3", {}, "axy", 1.0),
        ("precision@1", {}, "axy", 1.0),
    ],
)
def test_values(use: str, options: dict[str, Any], ids: str, value: float) -> None:
    scored = outcome(build(use, **options), asked(*ids))
    assert isinstance(scored, Score)
    assert scored.value == pytest.approx(value, abs=1e-12)


def test_a_score_says_where_the_relevant_documents_stand() -> None:
    scored = outcome(build("precision@3"), asked("b", "a", "c"))
    assert isinstance(scored, Score)
    assert scored.details == {"relevant": 3, "found_at": [2, 3]}


@pytest.mark.parametrize(
    ("use", "qrels", "trace", "reason", "detail"),
    [
        ("ndcg@3", None, asked("a"), SkipReason.NOT_CONFIGURED, "no relevance judgements"),
        ("ndcg@3", QRELS, asked(), SkipReason.MISSING_DOCUMENTS, None),
        ("ndcg@3", QRELS, asked("a", input="?"), SkipReason.MISSING_JUDGEMENTS, "the query"),
        ("ndcg@3", QRELS, asked("a", "x"), SkipReason.MISSING_JUDGEMENTS, "1 .* judged: 'x'"),
        ("hit_rate@2", QRELS, asked("x", None), SkipReason.MISSING_JUDGEMENTS, "without an id"),
        (
            "recall@2",
            QRELS,
            asked("a", input="nothing fits"),
            SkipReason.MISSING_JUDGEMENTS,
            "no document is judged relevant",
        ),
    ],
)
def test_what_cannot_be_scored_says_why(
    use: str, qrels: Qrels | None, trace: Trace, reason: SkipReason, detail: str | None
) -> None:
    skipped = outcome(build(use, qrels), trace)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is reason
    if detail is not None:
        assert skipped.detail is not None
        assert re.search(detail, skipped.detail)


def test_a_condensed_list_without_a_judged_document_has_no_value() -> None:
    evaluator = build("precision@2", unjudged="condense")
    assert isinstance(outcome(evaluator, asked("x", "y")), Skipped)


def test_finding_nothing_is_zero_where_the_measure_is_defined() -> None:
    scored = outcome(build("reciprocal_rank"), asked("a", "b", input="nothing fits"))
    assert scored == Score(value=0.0, details={"relevant": 0, "found_at": []})


def test_the_query_is_the_id_then_the_retrievers_then_the_users() -> None:
    retriever = make_span(
        span_id="r", kind=SpanKind.RETRIEVER, query=" 17 ", documents=documents("b")
    )
    spans = {"spans": (retriever,), "documents": (), "root_span_id": "r"}
    precision = build("precision@1")
    for trace, value in [
        (asked(**spans, metadata={"query_id": "nothing fits"}), 0.0),
        (asked(**spans, metadata={"query_id": "unheard of"}), 1.0),
        (asked(**spans, metadata={"query_id": ["17"]}), 1.0),
        (asked("b", metadata={"query_id": 17}), 1.0),
        (asked("b"), 0.0),
    ]:
        scored = outcome(precision, trace)
        assert isinstance(scored, Score)
        assert scored.value == value


@pytest.mark.parametrize(
    ("use", "options", "version"),
    [
        ("ndcg@10", {}, "1"),
        ("ndcg@10", {"gain": "linear", "unjudged": "skip"}, "1"),
        ("ndcg@10", {"gain": "exponential"}, "1;gain=exponential"),
        (
            "precision@5",
            {"min_grade": 2, "unjudged": "not_relevant"},
            "1;min_grade=2;unjudged=not_relevant",
        ),
    ],
)
def test_an_option_that_changes_scores_changes_the_version(
    use: str, options: dict[str, Any], version: str
) -> None:
    assert build(use, **options).version == version


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("ndcg@10", {"min_grade": 2}, "min_grade.*its options: gain, unjudged, judgements"),
        ("precision@5", {"min_grade": 0}, "min_grade.*greater than or equal to 1"),
        ("precision@5", {"unjudged": "guess"}, "'skip', 'not_relevant' or 'condense'"),
        ("recall@5", {"judgements": "document_relevance"}, "recall@5 needs `qrels`"),
        ("ndcg@5", {"judgements": "token_f1"}, "does not grade documents"),
        ("ndcg@5", {"judgements": "no_such_rubric"}, "no_such_rubric"),
    ],
)
def test_a_wrong_option_is_told_what_is_accepted(
    use: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(use, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """A document judge that knows its grades by heart."""

    grades: Sequence[relevance.Found]
    judge: str = "model-j"
    version: str = "4"
    batch_size: int = 8

    async def grade_documents(self, traces: Sequence[Trace]) -> Sequence[relevance.Found]:
        assert len(traces) == len(self.grades), "only traces with documents are worth a call"
        return self.grades


def test_a_judge_may_grade_what_was_retrieved() -> None:
    failed = Failed(error_type="timeout", message="no answer", retryable=True)
    graded: Judgements = {"a": 0, "b": 2}
    source = JudgedRelevance(grader=Grader(grades=[graded, failed]), rubric="document_relevance")
    evaluator = retrieval.RetrievalEvaluator(
        name="reciprocal_rank",
        measure=Measure(kind=MeasureKind.RECIPROCAL_RANK),
        relevance=source,
    )
    assert evaluator.judge == "model-j"
    assert evaluator.version == "1;judgements=document_relevance/4"
    assert evaluator.batch_size == 8
    outcomes = asyncio.run(evaluator.evaluate([asked("a", "b"), asked(), asked("a")]))
    assert outcomes == [
        Score(value=0.5, details={"relevant": 1, "found_at": [2]}),
        Skipped(reason=SkipReason.MISSING_DOCUMENTS),
        failed,
    ]


class Reader:
    """A judge that calls every document useless but the one that mentions gold."""

    model = "reader"

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, question: JudgeQuestion) -> Verdict:
        self.asked += 1
        choice = question.choices[0 if "gold" in question.material else -1]
        return Verdict(choice=choice, explanation="", usage=Usage())

    async def close(self) -> None:
        return None


def test_the_rubric_is_asked_about_as_many_documents_as_count() -> None:
    judge = Reader()
    plan = EvaluatorPlan(use="reciprocal_rank@7", options={"judgements": "document_relevance"})
    evaluator = build_evaluator(plan, EvaluatorTools(judge=judge))
    retrieved = tuple(
        make_document(rank=rank, id=f"d{rank}", text="gold" if rank == 6 else f"lead {rank}")
        for rank in range(9)
    )
    scored = outcome(evaluator, make_trace(documents=retrieved))
    assert isinstance(scored, Score)
    assert (scored.value, judge.asked, evaluator.judge) == (1 / 7, 7, "reader")

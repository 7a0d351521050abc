"""How many questions a dry run counts before it asks any."""

from typing import Any

import pytest

from evaluators.index import build_evaluator
from flows.questions import Asks, QuestionCount, asks_of
from tailwatch.outcome import Failed, Skipped
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import Evaluator, EvaluatorTools, JudgeQuestion, Qrels, Verdict

QRELS: Qrels = {"question": {"d": 1}}
DOCUMENTS = "document_relevance"


class UnaskedJudge:
    """A judge that no estimate may ask."""

    model = "small"

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        raise AssertionError(question)

    async def close(self) -> None:
        """Nothing to close."""


def evaluator(use: str, judged: bool = True, **options: Any) -> Evaluator:
    tools = EvaluatorTools(judge=UnaskedJudge() if judged else None, qrels=QRELS)
    return build_evaluator(EvaluatorPlan(use=use, options=options), tools)


@pytest.mark.parametrize(
    ("use", "options", "expected"),
    [
        ("faithfulness", {}, Asks(rubric="faithfulness", most=1)),
        (DOCUMENTS, {}, Asks(rubric=DOCUMENTS, most=5)),
        (DOCUMENTS, {"depth": 3}, Asks(rubric=DOCUMENTS, most=3)),
        ("precision@4", {"judgements": DOCUMENTS}, Asks(rubric=DOCUMENTS, most=4)),
        ("precision@4", {}, None),
        ("lexical_support", {}, None),
    ],
)
def test_what_is_asked_about_a_trace(
    use: str, options: dict[str, Any], expected: Asks | None
) -> None:
    assert asks_of(evaluator(use, **options)) == expected


def test_without_a_judge_nothing_is_asked() -> None:
    assert asks_of(evaluator("faithfulness", judged=False)) is None
    assert asks_of(evaluator(DOCUMENTS, judged=False)) is None


def test_what_several_ask_of_one_document_is_counted_once() -> None:
    count = QuestionCount()
    count.add(
        [
            (evaluator("faithfulness"), ["a", "b"]),
            (evaluator(DOCUMENTS), ["a"]),
            (evaluator("precision@3", judgements=DOCUMENTS), ["a", "b"]),
            (evaluator("lexical_support"), ["a", "b", "c"]),
        ]
    )
    assert count.questions == {"faithfulness": 2, DOCUMENTS: 5 + 3}
    assert count.expected_usd({"faithfulness": 0.1, DOCUMENTS: 0.01}) == pytest.approx(0.28)
    assert count.expected_usd({"faithfulness": 0.1}) is None
    assert QuestionCount().expected_usd({}) is None

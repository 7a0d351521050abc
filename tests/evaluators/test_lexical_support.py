"""Overlap of an answer with the documents it was built on."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.index import build_evaluator
from evaluators.lexical_support import MAX_ANSWER_WORDS, MAX_CONTEXT_WORDS, support
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import EvaluatorTools
from tests.builders import make_document, make_trace

CONTEXT = "Refunds take five working days. Fees are not refunded."


def outcome(output: str | None, *texts: str | None, **fields: Any) -> Outcome:
    documents = tuple(make_document(rank=rank, text=text) for rank, text in enumerate(texts))
    trace = make_trace(**{"output": output, "documents": documents, "input": None} | fields)
    evaluator = build_evaluator(EvaluatorPlan(use="lexical_support"), EvaluatorTools())
    (only,) = asyncio.run(evaluator.evaluate([trace]))
    return only


def value(scored: Outcome) -> float:
    assert isinstance(scored, Score)
    return scored.value


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Refunds take five working days.", (1 + 1) / 2),
        ("Unicorns gallop.", 0.0),
        # content: working, five, refunds of 3; in the context's order: two of them
        ("working five refunds", (1 + 1 / 3) / 2),
        # content: refunds, take, three, working, days; only "three" is new
        ("Refunds take three working days", (4 / 5 + 4 / 5) / 2),
        # stop words count for the order, not for the content
        ("The refunds are in the fees", (2 / 2 + 2 / 6) / 2),
    ],
)
def test_values(output: str, expected: float) -> None:
    assert value(outcome(output, CONTEXT)) == pytest.approx(expected, abs=1e-12)


def test_words_of_the_question_are_excused_as_content_but_not_as_a_quotation() -> None:
    question = "Do unicorns get refunds?"
    assert value(outcome("Unicorns refunds", CONTEXT, input=question)) == (1 + 1 / 2) / 2


def test_documents_count_in_rank_order() -> None:
    assert value(outcome("alpha beta", "alpha", "beta")) == 1.0
    assert value(outcome("alpha beta", "beta", "alpha")) == 0.75


def test_the_weakest_sentence_is_named_with_its_words() -> None:
    scored = outcome("Refunds take five days. They need a purple purple form.", CONTEXT)
    assert isinstance(scored, Score)
    assert scored.details == {
        "weakest_sentence": 1,
        "unsupported_words": ["need", "purple", "form"],
    }
    full = outcome("Refunds take five working days.", CONTEXT)
    assert isinstance(full, Score)
    assert full.details == {}


@pytest.mark.parametrize(
    ("output", "texts", "reason"),
    [
        (None, (CONTEXT,), SkipReason.MISSING_OUTPUT),
        (" \n ?", (CONTEXT,), SkipReason.MISSING_OUTPUT),
        ("Refunds", (), SkipReason.MISSING_DOCUMENTS),
        ("Refunds", (None, "..."), SkipReason.MISSING_DOCUMENTS),
        ("Yes, you can.", (CONTEXT,), SkipReason.NOT_APPLICABLE),
    ],
)
def test_what_cannot_be_scored_says_why(
    output: str | None, texts: tuple[str | None, ...], reason: SkipReason
) -> None:
    skipped = outcome(output, *texts)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is reason


def test_text_beyond_the_limits_does_not_count() -> None:
    assert value(outcome("refunds " * MAX_ANSWER_WORDS + "unicorn " * 500, "refunds")) > 0.5
    assert value(outcome("unicorn", "refunds " * MAX_CONTEXT_WORDS + "unicorn")) == 0.0


@given(
    answer=st.lists(st.sampled_from(["refund", "fee", "day", "the"]), min_size=1, max_size=9),
    context=st.lists(st.sampled_from(["refund", "fee", "the", "five"]), min_size=1, max_size=9),
)
def test_it_is_a_share_and_a_quotation_is_fully_supported(
    answer: list[str], context: list[str]
) -> None:
    found = support(answer, context, [])
    assert (found is None) == (set(answer) == {"the"})
    assert found is None or 0 <= found <= 1
    assert found is None or support(answer, [*context, *answer], []) == 1

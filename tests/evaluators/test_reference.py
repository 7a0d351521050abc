"""Overlap of an answer with a known good one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.index import build_evaluator
from evaluators.reference import bag_f1, sequence_recall
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import EvaluatorTools
from tests.builders import make_trace

some_words = st.lists(st.sampled_from("abcde"), min_size=1, max_size=12)


def outcome(use: str, output: str | None, reference: str | None) -> Outcome:
    evaluator = build_evaluator(EvaluatorPlan(use=use), EvaluatorTools())
    (only,) = asyncio.run(evaluator.evaluate([make_trace(output=output, reference=reference)]))
    return only


@pytest.mark.parametrize(
    ("output", "reference", "recall", "f1"),
    [
        ("Paris.", "paris", 1.0, 1.0),
        ("It is Paris, in France", "Paris", 1.0, 2 / 6),
        ("France Paris", "Paris France", 1 / 2, 1.0),
        ("London", "Paris", 0.0, 0.0),
        ("a a b", "a b b c", 2 / 4, 4 / 7),
    ],
)
def test_values(output: str, reference: str, recall: float, f1: float) -> None:
    assert outcome("reference_recall", output, reference) == Score(value=recall)
    assert outcome("token_f1", output, reference) == Score(value=f1)


@pytest.mark.parametrize("use", ["reference_recall", "token_f1"])
@pytest.mark.parametrize(
    ("output", "reference", "reason"),
    [
        ("yes", None, SkipReason.MISSING_REFERENCE),
        ("yes", " ... ", SkipReason.MISSING_REFERENCE),
        (None, "yes", SkipReason.MISSING_OUTPUT),
        ("?!", "yes", SkipReason.MISSING_OUTPUT),
    ],
)
def test_what_cannot_be_scored_says_why(
    use: str, output: str | None, reference: str | None, reason: SkipReason
) -> None:
    assert outcome(use, output, reference) == Skipped(reason=reason)


@given(answer=some_words, reference=some_words)
def test_f1_is_symmetric_and_at_least_as_kind_as_order(
    answer: list[str], reference: list[str]
) -> None:
    f1, recall = bag_f1(answer, reference), sequence_recall(answer, reference)
    precision = sequence_recall(reference, answer)
    assert f1 == bag_f1(reference, answer)
    assert f1 >= 2 * precision * recall / (precision + recall or 1) - 1e-12
    assert (sequence_recall(answer, answer), bag_f1(answer, answer)) == (1.0, 1.0)


@pytest.mark.parametrize("use", ["reference_recall", "token_f1", "lexical_support"])
def test_they_take_no_options(use: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{use}'.*its options: none"):
        build_evaluator(EvaluatorPlan(use=use, options={"stem": True}), EvaluatorTools())

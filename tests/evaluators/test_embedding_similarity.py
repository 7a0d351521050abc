import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from evaluators.clients.embedder import EmbeddingsMissingError
from evaluators.embedding_similarity import embedding_similarity
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import Embedder, Evaluator, EvaluatorTools
from tailwatch.trace import Trace
from tests.builders import make_trace
from tests.evaluators.word_embedder import WordEmbedder, always


def score(traces: Sequence[Trace], embedder: Embedder, **options: Any) -> Sequence[Outcome]:
    evaluator = embedding_similarity(None, options, EvaluatorTools(embedder=always(embedder)))
    return asyncio.run(evaluator.evaluate(traces))


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        ("Paris is big", "paris is BIG", 1.0),
        ("Paris is big", "nothing in common", 0.0),
        ("red green", "red blue", 0.5),
        ("", "Paris", SkipReason.MISSING_OUTPUT),
        ("  \n", "Paris", SkipReason.MISSING_OUTPUT),
        (None, "Paris", SkipReason.MISSING_OUTPUT),
        ("Paris", None, SkipReason.MISSING_REFERENCE),
        ("Paris", " ", SkipReason.MISSING_REFERENCE),
    ],
)
def test_one_outcome_for_each_pair_of_texts(
    output: str | None, reference: str | None, expected: float | SkipReason
) -> None:
    (outcome,) = score([make_trace(output=output, reference=reference)], WordEmbedder("m"))
    if isinstance(outcome, Score):
        assert outcome.value == pytest.approx(expected, abs=1e-6)
        assert -1 <= outcome.value <= 1
    else:
        assert outcome == Skipped(reason=SkipReason(str(expected)))


def test_outcomes_keep_the_order_and_a_batch_is_one_call_without_repeats() -> None:
    embedder = WordEmbedder("m")
    outcomes = score(
        [
            make_trace(output="one two", reference="one two"),
            make_trace(output=None, reference="one two"),
            make_trace(output="three", reference="one two"),
        ],
        embedder,
    )
    assert [type(outcome) for outcome in outcomes] == [Score, Skipped, Score]
    assert embedder.calls == [["one two", "three"]]


def test_nothing_is_embedded_when_no_trace_has_both_texts() -> None:
    embedder = WordEmbedder("m")
    score([make_trace(reference=None)], embedder)
    assert embedder.calls == []


def test_the_embedding_model_is_part_of_the_series() -> None:
    evaluator = embedding_similarity(None, {"model": "some/model"}, EvaluatorTools())
    assert isinstance(evaluator, Evaluator)
    assert (evaluator.name, evaluator.judge) == ("embedding_similarity", "some/model")


def missing(_: str) -> Embedder:
    raise EmbeddingsMissingError("install tailwatch[embeddings] to embed texts")


@pytest.mark.parametrize("tools", [EvaluatorTools(), EvaluatorTools(embedder=missing)])
def test_without_the_extra_every_scorable_trace_is_skipped_and_says_what_to_install(
    tools: EvaluatorTools,
) -> None:
    traces = [make_trace(reference="Paris"), make_trace(reference=None)]
    first, second = asyncio.run(embedding_similarity(None, {}, tools).evaluate(traces))
    assert isinstance(first, Skipped)
    assert first.reason is SkipReason.NOT_CONFIGURED
    assert "install tailwatch[embeddings]" in (first.detail or "")
    assert second == Skipped(reason=SkipReason.MISSING_REFERENCE)


@pytest.mark.parametrize(
    ("parameter", "options", "said"),
    [("5", {}, "@5"), (None, {"modle": "x"}, "modle"), (None, {"model": 3}, "model")],
)
def test_what_it_does_not_accept_is_named(
    parameter: str | None, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        embedding_similarity(parameter, options, EvaluatorTools())

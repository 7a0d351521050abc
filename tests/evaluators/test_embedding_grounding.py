import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluators.embedding_grounding import best_similarities, embedding_grounding
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools
from tailwatch.trace import Trace
from tests.builders import make_document, make_trace
from tests.evaluators.word_embedder import WordEmbedder, always

DOCUMENTS = (
    make_document(rank=0, id="a", text="red green. Blue blue"),
    make_document(rank=1, id="b", text="yellow black"),
)


def score(traces: Sequence[Trace], **options: Any) -> Sequence[Outcome]:
    tools = EvaluatorTools(embedder=always(WordEmbedder("m")))
    return asyncio.run(embedding_grounding(None, options, tools).evaluate(traces))


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("mean", 0.5), ("min", 0.0), ("p10", 0.1)],
)
def test_sentences_are_aggregated_over_their_best_source(aggregate: str, expected: float) -> None:
    trace = make_trace(output="Yellow black. Red white! Never heard of.", documents=DOCUMENTS)
    (outcome,) = score([trace], aggregate=aggregate)
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(expected, abs=1e-6)
    assert outcome.details == {
        "least_supported_sentence": 2,
        "least_similarity": 0.0,
        "sentences": 3,
    }


@pytest.mark.parametrize(
    ("output", "documents", "reason"),
    [
        (None, DOCUMENTS, SkipReason.MISSING_OUTPUT),
        ("... !", DOCUMENTS, SkipReason.MISSING_OUTPUT),
        ("Red.", (), SkipReason.MISSING_DOCUMENTS),
        ("Red.", (make_document(text=None),), SkipReason.MISSING_DOCUMENTS),
    ],
)
def test_nothing_to_compare_is_skipped(output: str | None, documents: Any, reason: str) -> None:
    neighbour = make_trace(output="red green", documents=DOCUMENTS)
    outcomes = score([make_trace(output=output, documents=documents), neighbour])
    assert outcomes[0] == Skipped(reason=SkipReason(reason))
    assert isinstance(outcomes[1], Score)
    assert outcomes[1].value == pytest.approx(1.0)


def test_without_an_embedder_it_is_skipped() -> None:
    (outcome,) = asyncio.run(
        embedding_grounding(None, {}, EvaluatorTools()).evaluate([make_trace()])
    )
    assert isinstance(outcome, Skipped)
    assert outcome.reason is SkipReason.NOT_CONFIGURED


def test_each_aggregate_is_a_series_of_its_own() -> None:
    versions = {
        embedding_grounding(None, {"aggregate": aggregate}, EvaluatorTools()).version
        for aggregate in ("mean", "p10", "min")
    }
    assert len(versions) == 3
    with pytest.raises(ConfigurationError, match=r"aggregate.*'mean', 'p10' or 'min'"):
        embedding_grounding(None, {"aggregate": "max"}, EvaluatorTools())


unit_rows = arrays(np.float32, (4, 3), elements=st.floats(-1, 1, width=32)).map(
    lambda rows: (rows + 1e-3) / np.linalg.norm(rows + 1e-3, axis=1, keepdims=True).clip(1e-6)
)


@given(answer=unit_rows, context=unit_rows)
def test_best_similarity_is_within_scale_and_another_source_never_lowers_it(
    answer: Any, context: Any
) -> None:
    fewer = best_similarities(answer, context[:2])
    all_of_them = best_similarities(answer, context)
    assert (np.abs(all_of_them) <= 1).all()
    assert (all_of_them >= fewer - 1e-6).all()
    assert best_similarities(answer, answer) == pytest.approx(
        np.linalg.norm(answer, axis=1) ** 2, abs=1e-5
    )

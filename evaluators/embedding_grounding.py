"""How close each sentence of the answer is to something in the retrieved documents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np

from evaluators.clients.embedder import DEFAULT_MODEL, Vectors
from evaluators.embedding import can_embed, embed_texts
from evaluators.options import Options, parse_options, refuse_parameter
from evaluators.text import sentences, words
from tailwatch.alert import Direction
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools, Scale
from tailwatch.trace import Trace


class Aggregate(StrEnum):
    """How the sentences of an answer become one number."""

    MEAN = "mean"
    P10 = "p10"
    MIN = "min"


_AGGREGATES: Mapping[Aggregate, Callable[[Vectors], Any]] = {
    Aggregate.MEAN: np.mean,
    Aggregate.P10: lambda similarities: np.quantile(similarities, 0.1),
    Aggregate.MIN: np.min,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingGrounding:
    """Closeness of an answer to its documents, from -1 to 1; higher is closer.

    For each sentence of the output, the largest cosine to any sentence of the documents; the value
    is their mean (or 10th percentile, or minimum). `details` name the least supported sentence,
    counted from 0 over the output's sentences that have a word, and its similarity. It notices
    sentences from elsewhere; it does not see a flipped meaning or a swapped number.
    """

    tools: EvaluatorTools
    judge: str = DEFAULT_MODEL
    aggregate: Aggregate = Aggregate.MEAN

    name: ClassVar[str] = "embedding_grounding"
    direction: ClassVar[Direction] = Direction.HIGHER_IS_BETTER
    scale: ClassVar[Scale] = Scale(low=-1.0, high=1.0)
    batch_size: ClassVar[int] = 64

    @property
    def version(self) -> str:
        return "1" if self.aggregate is Aggregate.MEAN else f"1-{self.aggregate}"

    @property
    def configured(self) -> bool:
        return can_embed(self.tools, self.judge)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order; the whole batch is embedded in one call."""
        cut = [_cut(trace) for trace in traces]
        texts = [
            text for item in cut if not isinstance(item, Skipped) for part in item for text in part
        ]
        if not texts:
            return [item for item in cut if isinstance(item, Skipped)]
        vectors = await embed_texts(self.tools, self.judge, texts)
        if isinstance(vectors, Skipped):
            return [item if isinstance(item, Skipped) else vectors for item in cut]
        return [item if isinstance(item, Skipped) else self._score(*item, vectors) for item in cut]

    def _score(
        self, answer: Sequence[str], context: Sequence[str], vectors: Mapping[str, Vectors]
    ) -> Score:
        similarities = best_similarities(
            np.stack([vectors[sentence] for sentence in answer]),
            np.stack([vectors[sentence] for sentence in context]),
        )
        weakest = int(np.argmin(similarities))
        return Score(
            value=float(_AGGREGATES[self.aggregate](similarities)),
            details={
                "least_supported_sentence": weakest,
                "least_similarity": round(float(similarities[weakest]), 4),
                "sentences": len(similarities),
            },
        )


def best_similarities(answer: Vectors, context: Vectors) -> Vectors:
    """For each row of `answer` its largest cosine to a row of `context`, clipped into [-1, 1].

    Both hold unit vectors, one a row: shapes (sentences, dimensions), neither without rows.
    """
    best: Vectors = np.clip((answer @ context.T).max(axis=1), -1.0, 1.0)
    return best


def _cut(trace: Trace) -> tuple[Sequence[str], Sequence[str]] | Skipped:
    """The sentences of the output and those of the documents, or why there are none to compare."""
    answer = _sentences_with_words(trace.output or "")
    if not answer:
        return Skipped(reason=SkipReason.MISSING_OUTPUT)
    context = [
        sentence
        for document in trace.documents
        for sentence in _sentences_with_words(document.text or "")
    ]
    if not context:
        return Skipped(reason=SkipReason.MISSING_DOCUMENTS)
    return answer, context


def _sentences_with_words(text: str) -> Sequence[str]:
    return [sentence for sentence in sentences(text) if words(sentence)]


class _Grounding(Options):
    model: str = DEFAULT_MODEL
    aggregate: Aggregate = Aggregate.MEAN


def embedding_grounding(
    parameter: str | None, options: Mapping[str, Any], tools: EvaluatorTools
) -> EmbeddingGrounding:
    """The evaluator `embedding_grounding`; options `model` and `aggregate` (mean, p10 or min)."""
    refuse_parameter(EmbeddingGrounding.name, parameter)
    chosen = parse_options(EmbeddingGrounding.name, _Grounding, options)
    return EmbeddingGrounding(tools=tools, judge=chosen.model, aggregate=chosen.aggregate)

"""How close the answer's meaning is to a reference answer: the cosine of their embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evaluators.clients.embedder import DEFAULT_MODEL, Vectors
from evaluators.embedding import can_embed, embed_texts
from evaluators.options import Options, parse_options, refuse_parameter
from tailwatch.alert import Direction
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools, Scale
from tailwatch.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSimilarity:
    """Cosine of the embeddings of output and reference, from -1 to 1; higher is closer.

    It says how near two texts are in topic and wording, not whether the answer is right: one wrong
    number hardly moves it. Its use is the shift of its distribution from hour to hour.
    """

    tools: EvaluatorTools
    judge: str = DEFAULT_MODEL

    name: ClassVar[str] = "embedding_similarity"
    version: ClassVar[str] = "1"
    direction: ClassVar[Direction] = Direction.HIGHER_IS_BETTER
    scale: ClassVar[Scale] = Scale(low=-1.0, high=1.0)
    batch_size: ClassVar[int] = 256

    @property
    def configured(self) -> bool:
        return can_embed(self.tools, self.judge)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order; the whole batch is embedded in one call."""
        pairs = [_pair(trace) for trace in traces]
        texts = [text for pair in pairs if not isinstance(pair, Skipped) for text in pair]
        if not texts:
            return [pair for pair in pairs if isinstance(pair, Skipped)]
        vectors = await embed_texts(self.tools, self.judge, texts)
        return [
            pair
            if isinstance(pair, Skipped)
            else vectors
            if isinstance(vectors, Skipped)
            else Score(value=_cosine(vectors[pair[0]], vectors[pair[1]]))
            for pair in pairs
        ]


def _pair(trace: Trace) -> tuple[str, str] | Skipped:
    if not trace.output or not trace.output.strip():
        return Skipped(reason=SkipReason.MISSING_OUTPUT)
    if not trace.reference or not trace.reference.strip():
        return Skipped(reason=SkipReason.MISSING_REFERENCE)
    return trace.output, trace.reference


def _cosine(a: Vectors, b: Vectors) -> float:
    """The cosine of two unit vectors; rounding may leave it a hair outside [-1, 1], so clipped."""
    return float(np.clip(np.dot(a, b), -1.0, 1.0))


class _Similarity(Options):
    model: str = DEFAULT_MODEL


def embedding_similarity(
    parameter: str | None, options: Mapping[str, Any], tools: EvaluatorTools
) -> EmbeddingSimilarity:
    """The evaluator `embedding_similarity`; option `model`, an embedding model's name or folder."""
    refuse_parameter(EmbeddingSimilarity.name, parameter)
    chosen = parse_options(EmbeddingSimilarity.name, _Similarity, options)
    return EmbeddingSimilarity(tools=tools, judge=chosen.model)

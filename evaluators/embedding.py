"""What the embedding evaluators share: one call for a batch's texts, off the event loop."""

import asyncio
from collections.abc import Mapping, Sequence

from evaluators.clients.embedder import EmbeddingsMissingError, Vectors
from tailwatch.outcome import Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools


async def embed_texts(
    tools: EvaluatorTools, model: str, texts: Sequence[str]
) -> Mapping[str, Vectors] | Skipped:
    """The unit vector of each text, by the text; `Skipped` where no embedder is installed.

    Loading the model and encoding both happen in a thread, so that judges go on meanwhile.
    """
    load = tools.embedder
    if load is None:
        return Skipped(reason=SkipReason.NOT_CONFIGURED, detail=_MISSING)
    different = list(dict.fromkeys(texts))
    try:
        vectors = await asyncio.to_thread(lambda: load(model).embed(different))
    except EmbeddingsMissingError as error:
        return Skipped(reason=SkipReason.NOT_CONFIGURED, detail=str(error))
    return dict(zip(different, vectors, strict=True))


def can_embed(tools: EvaluatorTools, model: str) -> bool:
    """Whether there is an embedder of that name; nothing is loaded."""
    if tools.embedder is None:
        return False
    try:
        tools.embedder(model)
    except EmbeddingsMissingError:
        return False
    return True


_MISSING = "install tailwatch[embeddings]: no embedder is configured"

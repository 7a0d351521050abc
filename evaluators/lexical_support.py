"""How much of an answer its documents say in the same words: no model, no network."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

from evaluators.options import Options, parse_options, refuse_parameter
from evaluators.per_trace import PerTraceEvaluator
from evaluators.text import content_words, lcs_length, sentences, words
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools
from tailwatch.trace import Trace

MAX_ANSWER_WORDS: Final = 2000
MAX_CONTEXT_WORDS: Final = 20_000
"""The first words of the answer, and of the documents in rank order, that count."""

_MAX_WORDS_SHOWN: Final = 8
_MAX_WORD_CHARS: Final = 40


def support(answer: Sequence[str], context: Sequence[str], question: Sequence[str]) -> float | None:
    """The mean of content-word precision and ROUGE-L precision of an answer, from 0 to 1.

    content-word precision = the share of the answer's content words (each as often as it occurs)
    that occur in the context or in the question; ROUGE-L precision = LCS(answer, context) / words
    in the answer (Lin 2004). None where the answer has no content word.
    """
    content = content_words(answer)
    if not content:
        return None
    known = {*context, *question}
    content_precision = sum(word in known for word in content) / len(content)
    return (content_precision + lcs_length(answer, context) / len(answer)) / 2


def lexical_support(
    parameter: str | None,
    options: Mapping[str, Any],
    tools: EvaluatorTools,  # noqa: ARG001 - every factory is called with the tools
) -> PerTraceEvaluator:
    """Makes `lexical_support`, which has no parameter and no options."""
    refuse_parameter("lexical_support", parameter)
    parse_options("lexical_support", Options, options)
    return PerTraceEvaluator(name="lexical_support", version="1", score=_score)


def _score(trace: Trace) -> Outcome:
    output = trace.output or ""
    answer = words(output)[:MAX_ANSWER_WORDS]
    if not answer:
        return Skipped(reason=SkipReason.MISSING_OUTPUT)
    context = _context(trace)
    if not context:
        return Skipped(reason=SkipReason.MISSING_DOCUMENTS)
    question = words(trace.input or "")[:MAX_CONTEXT_WORDS]
    value = support(answer, context, question)
    if value is None:
        return Skipped(reason=SkipReason.NOT_APPLICABLE, detail="the answer has no content word")
    return Score(value=value, details=_weakest_sentence(output, {*context, *question}))


def _context(trace: Trace) -> list[str]:
    context: list[str] = []
    for document in trace.documents:
        if len(context) >= MAX_CONTEXT_WORDS:
            break
        context += words(document.text or "")
    return context[:MAX_CONTEXT_WORDS]


def _weakest_sentence(output: str, known: Set[str]) -> dict[str, Any]:
    """Which sentence, from 0, has the lowest content-word precision, and its unknown words."""
    weakest, lowest, unknown = None, 1.0, list[str]()
    seen = 0
    for index, sentence in enumerate(sentences(output)):
        if seen >= MAX_ANSWER_WORDS:
            break
        said = words(sentence)
        seen += len(said)
        content = content_words(said)
        missing = [word for word in content if word not in known]
        if content and (precision := 1 - len(missing) / len(content)) < lowest:
            weakest, lowest, unknown = index, precision, missing
    if weakest is None:
        return {}
    shown = [word[:_MAX_WORD_CHARS] for word in dict.fromkeys(unknown)]
    return {"weakest_sentence": weakest, "unsupported_words": shown[:_MAX_WORDS_SHOWN]}

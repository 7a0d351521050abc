"""How much of a known good answer the answer says, in words: no model, no network."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from evaluators.options import Options, parse_options, refuse_parameter
from evaluators.per_trace import PerTraceEvaluator
from evaluators.text import lcs_length, words
from tailwatch.outcome import Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import EvaluatorTools
from tailwatch.trace import Trace

MAX_WORDS: Final = 5000
"""The words of an answer and of a reference that count; the rest is cut off."""


def sequence_recall(answer: Sequence[str], reference: Sequence[str]) -> float:
    """LCS(answer, reference) / words in the reference, from 0 to 1: ROUGE-L recall (Lin 2004).

    1 where all words of the reference stand in the answer in their order, whatever stands between.
    `reference` must not be empty.
    """
    return lcs_length(answer, reference) / len(reference)


def bag_f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of words in any order, from 0 to 1.

    2 * common / (words in the answer + words in the reference), where a word is common as often as
    both have it: the F1 of SQuAD (Rajpurkar et al. 2016), with articles kept.
    `reference` must not be empty.
    """
    common = (Counter(answer) & Counter(reference)).total()
    return 2 * common / (len(answer) + len(reference))


def reference_recall(
    parameter: str | None,
    options: Mapping[str, Any],
    tools: EvaluatorTools,  # noqa: ARG001 - every factory is called with the tools
) -> PerTraceEvaluator:
    """Makes `reference_recall`, which has no parameter and no options."""
    return _evaluator("reference_recall", sequence_recall, parameter, options)


def token_f1(
    parameter: str | None,
    options: Mapping[str, Any],
    tools: EvaluatorTools,  # noqa: ARG001 - every factory is called with the tools
) -> PerTraceEvaluator:
    """Makes `token_f1`, which has no parameter and no options."""
    return _evaluator("token_f1", bag_f1, parameter, options)


def _evaluator(
    name: str,
    formula: Callable[[Sequence[str], Sequence[str]], float],
    parameter: str | None,
    options: Mapping[str, Any],
) -> PerTraceEvaluator:
    refuse_parameter(name, parameter)
    parse_options(name, Options, options)

    def score(trace: Trace) -> Outcome:
        reference = words(trace.reference or "")[:MAX_WORDS]
        if not reference:
            return Skipped(reason=SkipReason.MISSING_REFERENCE)
        answer = words(trace.output or "")[:MAX_WORDS]
        if not answer:
            return Skipped(reason=SkipReason.MISSING_OUTPUT)
        return Score(value=formula(answer, reference))

    return PerTraceEvaluator(name=name, version="1", score=score)

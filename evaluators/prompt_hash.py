"""What a judged evaluator tells its judge, as a hash: another text is another instrument."""

import hashlib
import json

from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.material import Section, render
from evaluators.rubric import RubricEvaluator

_CHARS = 10_000


def prompt_hash(evaluator: RubricEvaluator | DocumentRubricEvaluator) -> str:
    """16 hexadecimal digits for all that decides a score but the judge model and the trace.

    The instructions, the choices and their worth, the frame around the texts, and how the question
    is put. A file whose text changes without its version has another hash all the same.
    """
    rubric = evaluator.rubric
    material = render(
        [Section(name=need, text=f"some {need}") for need in rubric.needs], _CHARS, None
    )
    told, choices = rubric.prompt, rubric.labels
    if isinstance(evaluator, RubricEvaluator):
        question = evaluator.form.question(material, 0)
        told, choices = question.instructions, question.choices
    deciding = [
        told,
        material.text,
        choices,
        [(choice.label, choice.score) for choice in rubric.choices],
        rubric.direction.value,
        rubric.scope.value,
        rubric.max_output_tokens,
        rubric.temperature,
        evaluator.version,
    ]
    text = json.dumps(deciding, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

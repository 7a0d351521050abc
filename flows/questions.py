"""How many questions evaluators put to a judge: what a dry run counts, and a person pays for."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.relevance import JudgedRelevance


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What an evaluator asks about each trace: at most `most` questions of `rubric`.

    Two that ask the same of a rubric ask it once, so those of the greater number are all there are.
    """

    rubric: str
    most: int


def asks_of(evaluator: Any) -> Asks | None:
    """What a judged evaluator asks; None for one that asks no judge.

    A rubric over documents asks once for each of the first few, and a retrieval metric as the
    rubric whose grades it takes; one of unknown make is taken to ask once.
    """
    if not evaluator.judge:
        return None
    if isinstance(evaluator, DocumentRubricEvaluator):
        return Asks(rubric=evaluator.rubric.name, most=evaluator.depth)
    relevance = getattr(evaluator, "relevance", None)
    if relevance is not None:
        return asks_of(relevance.grader) if isinstance(relevance, JudgedRelevance) else None
    sheet = getattr(getattr(evaluator, "form", None), "sheet", None)
    name = evaluator.name if sheet is None else sheet.name
    return Asks(rubric=name, most=getattr(evaluator, "samples", 1))


@dataclass(slots=True)
class QuestionCount:
    """Adds up, hour by hour, how many questions of each rubric are asked at the most."""

    questions: Counter[str] = field(default_factory=Counter)

    def add(self, wanted: Iterable[tuple[Any, Iterable[str]]]) -> None:
        """Counts an hour: the evaluators with the ids of the traces that each has yet to see."""
        most: dict[tuple[str, str], int] = {}
        for evaluator, trace_ids in wanted:
            asks = asks_of(evaluator)
            if asks is None:
                continue
            for trace_id in trace_ids:
                key = (asks.rubric, trace_id)
                most[key] = max(most.get(key, 0), asks.most)
        for (rubric, _), number in most.items():
            self.questions[rubric] += number

    def expected_usd(self, cost_per_question: Mapping[str, float]) -> float | None:
        """What they cost if each costs what those of its rubric cost lately; None where nothing is
        known of a rubric.
        """
        asked = {rubric: number for rubric, number in self.questions.items() if number}
        if not asked or not asked.keys() <= cost_per_question.keys():
            return None
        return sum(number * cost_per_question[rubric] for rubric, number in asked.items())

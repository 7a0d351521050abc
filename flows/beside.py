"""Recorded verdicts of judges beside people's labels, output by output."""

from collections.abc import Collection, Sequence
from itertools import groupby

from alerts.judge_card import Compared
from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.rubric_file import Choice
from flows.label_page import graded_choice
from flows.parts import Parts
from tailwatch.evaluation import Series
from tailwatch.outcome import Score
from tailwatch.review import ReviewLabel
from tailwatch.window import Window


def beside(parts: Parts, series: Series, labels: Collection[ReviewLabel]) -> list[Compared]:
    """The recorded verdicts beside the labels; without the traces that have none."""
    if not labels:
        return []
    hours = sorted(label.hour for label in labels)
    window = Window(hours[0].start, hours[-1].end)
    judged = {each.trace_id: each for each in parts.store.judged(parts.source.name, series, window)}
    return [
        Compared(
            human=label.choice,
            human_score=label.score,
            judge=found.label,
            judge_score=found.value,
            model=found.model,
        )
        for label in labels
        if (found := judged.get(label.trace_id)) is not None
    ]


def beside_grades(
    parts: Parts, series: Series, evaluator: DocumentRubricEvaluator, labels: Sequence[ReviewLabel]
) -> list[Compared]:
    """The recorded grades of documents beside the labels; without documents that have none."""
    compared = []
    for trace_id, group in groupby(sorted(labels, key=_trace_of), key=_trace_of):
        recorded = parts.store.evaluations(parts.source.name, trace_id)
        scores = [e.outcome for e in recorded if e.series == series]
        for label in group:
            for outcome in scores:
                if not isinstance(outcome, Score) or label.document is None:
                    continue
                found = graded_choice(outcome, label.document, evaluator.rubric)
                if found is not None:
                    compared.append(of_document(label.choice, label.score, found))
    return compared


def _trace_of(label: ReviewLabel) -> str:
    return label.trace_id


def of_document(human: str, human_score: float, found: Choice) -> Compared:
    """A judge's grade beside a label: of choices that are worth the same, the person's is meant."""
    judge = human if found.score == human_score else found.label
    return Compared(
        human=human, human_score=human_score, judge=judge, judge_score=found.score, model=None
    )

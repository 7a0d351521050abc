"""What a person sees while labelling. Text from traces stands behind a bar, so that none of it can
pass for a line of ours, and nothing in it steers the display."""

import textwrap
from collections.abc import Mapping, Sequence

from evaluators.document_rubric import choice_of_grade
from evaluators.rubric_file import Choice, Need, Rubric
from flows.terminal import number
from tailwatch.evaluation import Evaluation
from tailwatch.outcome import Score
from tailwatch.printable import printable
from tailwatch.review import ReviewLabel
from tailwatch.trace import RetrievedDocument, Trace

SKIP, UNDO, MORE, QUIT = "s", "u", "m", "q"

FIRST_CHARS = 3000
"""How much of one text is shown before a person asks for more."""

AFTER = f"  any key: what the judge said, and on   {UNDO} undo   {QUIT} quit"

_KEYS = "123456789abcdefghijklnoprtvwxyz"
"""The keys of choices; those that mean something else are left out."""

_BAR = "  │ "
_EXPLANATION_CHARS = 600


def keys_of(rubric: Rubric) -> dict[str, Choice]:
    """The key of each choice. A rubric has no more choices than there are keys."""
    return dict(zip(_KEYS, rubric.choices, strict=False))


def text_lines(trace: Trace, width: int, *, whole: bool) -> list[str]:
    """The texts of a trace: question, documents, answer, reference; each under its name."""
    documents = [
        (f"document {place}", document.text)
        for place, document in enumerate(trace.documents, start=1)
    ]
    lines = []
    for name, text in (
        ("question", trace.input),
        *documents,
        ("answer", trace.output),
        ("reference answer", trace.reference),
    ):
        if text is not None and text.strip():
            lines += [name, *_behind_bar(text, width, whole=whole), ""]
    return lines


def document_lines(
    trace: Trace, document: RetrievedDocument, rubric: Rubric, width: int, *, whole: bool
) -> list[str]:
    """One document with what else a judge of the rubric is shown: mostly the question alone."""
    lines = []
    for name, text in (
        ("question", trace.input),
        ("answer", trace.output if Need.OUTPUT in rubric.needs else None),
        ("reference answer", trace.reference if Need.REFERENCE in rubric.needs else None),
        (f"document at rank {document.rank + 1}", document.text),
    ):
        if text is not None and text.strip():
            lines += [name, *_behind_bar(text, width, whole=whole), ""]
    return lines


def question_lines(rubric: Rubric, width: int) -> list[str]:
    """A rubric's question with its choices and their keys."""
    lines = textwrap.wrap(f"{rubric.name}: {rubric.description}", width)
    widest = max(len(choice.label) for choice in rubric.choices)
    for key, choice in keys_of(rubric).items():
        head = f"  {key}  {choice.label:<{widest}}  "
        lines += textwrap.wrap(
            choice.description, width, initial_indent=head, subsequent_indent=" " * len(head)
        )
    return [*lines, f"  {SKIP} skip   {UNDO} undo   {MORE} whole text   {QUIT} quit"]


def verdict_lines(
    labels: Sequence[ReviewLabel],
    evaluations: Sequence[Evaluation],
    rubrics: Mapping[str, Rubric],
    width: int,
) -> list[str]:
    """What the person said and what judges had said, once it can no longer sway anybody."""
    lines = []
    for label in labels:
        of = "" if label.document is None else f" of {printable(label.document, 60)}"
        lines.append(f"{label.evaluator}{of}: you said {label.choice}")
        for evaluation in evaluations:
            outcome, series = evaluation.outcome, evaluation.series
            if series.evaluator != label.evaluator or not isinstance(outcome, Score):
                continue
            choice, value = outcome.label, outcome.value
            if label.document is not None:
                graded = graded_choice(outcome, label.document, rubrics[label.evaluator])
                if graded is None:
                    continue
                choice, value = graded.label, graded.score
            said = printable(choice or "nothing", 80)
            head = f"{series.judge or 'the judge'} (v{series.version}) said {said}"
            lines.append(f"  {printable(head, 120)} ({number(value)})")
            if outcome.explanation and label.document is None:
                lines += _behind_bar(outcome.explanation[:_EXPLANATION_CHARS], width, whole=True)
    return lines


def graded_choice(outcome: Score, document: str, rubric: Rubric) -> Choice | None:
    """What a judge said about one document, from the grades in its score; None where it did not."""
    grades = outcome.details.get("grades")
    grade = grades.get(document) if isinstance(grades, Mapping) else None
    return None if grade is None else choice_of_grade(rubric, grade)


def _behind_bar(text: str, width: int, *, whole: bool) -> list[str]:
    shown = text if whole else text[:FIRST_CHARS]
    lines = []
    for line in shown.splitlines():
        safe = printable(line, max(1, len(line)))
        lines += textwrap.wrap(safe, max(20, width - len(_BAR))) or [""]
    if len(shown) < len(text):
        lines.append(f"[{len(text) - len(shown):,} more characters: press {MORE}]")
    return [f"{_BAR}{line}" for line in lines]

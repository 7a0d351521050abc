"""What a person sees while labelling. Text from traces stands behind a bar, so that none of it can
pass for a line of ours, and nothing in it steers the display."""

import textwrap
from collections.abc import Sequence

from evaluators.rubric_file import Choice, Rubric
from flows.terminal import number
from tailwatch.evaluation import Evaluation
from tailwatch.outcome import Score
from tailwatch.printable import printable
from tailwatch.review import ReviewLabel
from tailwatch.trace import Trace

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
    labels: Sequence[ReviewLabel], evaluations: Sequence[Evaluation], width: int
) -> list[str]:
    """What the person said and what judges had said, once it can no longer sway anybody."""
    lines = []
    for label in labels:
        lines.append(f"{label.evaluator}: you said {label.choice}")
        for evaluation in evaluations:
            outcome, series = evaluation.outcome, evaluation.series
            if series.evaluator != label.evaluator or not isinstance(outcome, Score):
                continue
            said = printable(outcome.label or "nothing", 80)
            head = f"{series.judge or 'the judge'} (v{series.version}) said {said}"
            lines.append(f"  {printable(head, 120)} ({number(outcome.value)})")
            if outcome.explanation:
                lines += _behind_bar(outcome.explanation[:_EXPLANATION_CHARS], width, whole=True)
    return lines


def _behind_bar(text: str, width: int, *, whole: bool) -> list[str]:
    shown = text if whole else text[:FIRST_CHARS]
    lines = []
    for line in shown.splitlines():
        safe = printable(line, max(1, len(line)))
        lines += textwrap.wrap(safe, max(20, width - len(_BAR))) or [""]
    if len(shown) < len(text):
        lines.append(f"[{len(text) - len(shown):,} more characters: press {MORE}]")
    return [f"{_BAR}{line}" for line in lines]

"""A store with traces that a judge has scored, for what people do with them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluators.document_rubric import DocumentRubricEvaluator
from evaluators.questions import PlainForm
from evaluators.rubric import RubricEvaluator
from evaluators.rubric_file import Rubric
from flows.evaluate_window import evaluate_window
from flows.parts import Parts
from tailwatch.outcome import Failed, Skipped, Usage
from tailwatch.plan import KeepText
from tailwatch.protocols import EvaluatorTools, JudgeQuestion, Verdict
from tailwatch.trace import Trace
from tailwatch.window import HOUR, Window
from tests.builders import START, make_document, make_trace
from tests.fakes import MemorySource, SteppingClock
from tests.flows.parts import make_parts, migrated_store

WINDOW = Window.hour_of(START)

TONE: dict[str, Any] = {
    "name": "tone",
    "version": "1",
    "description": "Whether it is polite.",
    "needs": ["output"],
    "instructions": "Is the answer polite?",
    "choices": [
        {"label": "polite", "score": 1, "description": "it is"},
        {"label": "curt", "score": 0.5, "description": "nearly"},
        {"label": "rude", "score": 0, "description": "it is not"},
    ],
}
HELP = {**TONE, "name": "help", "description": "Whether it helps."}


@dataclass
class WordJudge:
    """A judge that chooses the first choice whose label is a word of the material."""

    model: str = "judge-a"
    otherwise: str = "polite"
    asked: int = 0

    async def ask(self, question: JudgeQuestion) -> Verdict | Failed | Skipped:
        self.asked += 1
        found = next((c for c in question.choices if c in question.material), self.otherwise)
        return Verdict(choice=found, explanation="so it is", usage=Usage(cost_usd=0.001))

    async def close(self) -> None:
        """Nothing to close."""


def traces(number: int, **fields: Any) -> list[Trace]:
    """Traces of one hour; the answer of every fourth says rude, of every other fourth curt."""
    words = ("fine", "rude", "fine", "curt")
    return [
        make_trace(
            trace_id=f"t{i:03}",
            start_time=START,
            model=f"model-{i % 2}",
            output=f"answer {i} is {words[i % 4]}",
            documents=(make_document(text=f"document of {i}"),),
            **fields,
        )
        for i in range(number)
    ]


def tone_evaluator(judge: WordJudge | None, content: dict[str, Any] = TONE) -> RubricEvaluator:
    rubric = Rubric.model_validate(content)
    return RubricEvaluator(form=PlainForm(rubric=rubric), tools=EvaluatorTools(judge=judge))


RELEVANCE: dict[str, Any] = {
    **TONE,
    "name": "relevance",
    "description": "Whether the document helps.",
    "scope": "document",
    "needs": ["input", "documents"],
    "instructions": "Does it help?",
    "choices": [
        {"label": "helps", "score": 1, "description": "it does"},
        {"label": "useless", "score": 0, "description": "it does not"},
    ],
}


def relevance_evaluator(judge: WordJudge | None, depth: int = 3) -> DocumentRubricEvaluator:
    rubric = Rubric.model_validate(RELEVANCE)
    return DocumentRubricEvaluator(rubric=rubric, tools=EvaluatorTools(judge=judge), depth=depth)


def retrieving(number: int) -> list[Trace]:
    """Traces of one hour, each with four documents: a helpful one, a useless one, one without an id
    and one that no judge is shown. Of every third trace the first is useless, too.
    """
    return [
        make_trace(
            trace_id=f"t{i:03}",
            start_time=START,
            input=f"question {i}",
            output="the answer",
            documents=tuple(
                make_document(rank=rank, id=name, text=f"text {rank} {word}")
                for rank, (name, word) in enumerate(
                    [
                        ("a", "useless" if i % 3 == 0 else "helps"),
                        ("b", "useless"),
                        (None, "helps"),
                        ("unseen", "helps"),
                    ]
                )
            ),
        )
        for i in range(number)
    ]


def judged_parts(
    folder: Path,
    given: Sequence[Trace],
    *evaluators: RubricEvaluator | DocumentRubricEvaluator,
    keep_text: KeepText = KeepText.FULL,
    **plan: Any,
) -> Parts:
    """Parts over a store in which the evaluators have scored the traces of the hour."""
    store = migrated_store(folder)
    store.keep_text = keep_text
    source = MemorySource(list(given), name="test")
    parts = make_parts(store, source, *evaluators, keep_text=keep_text, **plan)
    clock = SteppingClock(WINDOW.end + HOUR)
    asyncio.run(evaluate_window(parts, WINDOW, run_id="run", clock=clock))
    return parts


def rubric_file(folder: Path, **changes: Any) -> Path:
    """The rubric `tone` as a file."""
    path = folder / f"tone-{changes.get('version', '1')}.yaml"
    path.write_text(yaml.safe_dump({**TONE, **changes}))
    return path

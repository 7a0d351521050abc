"""Evaluators made of rubric files: a judge reads the trace and picks one of their choices."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from evaluators.document_rubric import DEFAULT_DEPTH, DocumentRubricEvaluator
from evaluators.material import render
from evaluators.options import Options, parse_options
from evaluators.rubric_file import Rubric, Scope, load_rubric
from evaluators.sections import sections_of
from evaluators.verdicts import contained, no_judge, questions_in_hand, verdict_for
from tailwatch.alert import Direction
from tailwatch.outcome import Failed, Outcome, Score, Skipped
from tailwatch.protocols import UNIT_SCALE, Evaluator, EvaluatorTools, Scale
from tailwatch.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricEvaluator:
    """Asks the judge about each trace of a batch at once; its score is that of the choice made.

    `label` is the choice and `explanation` the judge's reason; `details` say how many characters
    were left out of what it saw and how many private details taken out, if any.
    """

    rubric: Rubric
    tools: EvaluatorTools

    scale: ClassVar[Scale] = UNIT_SCALE
    ends_by_itself: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.rubric.name

    @property
    def version(self) -> str:
        return self.rubric.version

    @property
    def judge(self) -> str:
        return self.tools.judge.model if self.tools.judge else ""

    @property
    def direction(self) -> Direction:
        return self.rubric.direction

    @property
    def batch_size(self) -> int:
        return questions_in_hand(self.tools)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order; a fault in one leaves the others alone."""
        judged = await asyncio.gather(*map(self._judged, traces), return_exceptions=True)
        return [contained(each) for each in judged]

    async def _judged(self, trace: Trace) -> Outcome:
        if self.tools.judge is None:
            return no_judge(self.tools)
        sections = sections_of(trace, self.rubric.needs, self.tools.privacy)
        if isinstance(sections, Skipped):
            return sections
        material = render(sections, self.tools.max_material_chars, self.tools.privacy)
        verdict = await verdict_for(self.rubric, material, self.tools.judge)
        if isinstance(verdict, Skipped | Failed):
            return verdict
        return Score(
            value=verdict.score,
            label=verdict.label,
            explanation=verdict.explanation,
            details={**material.details, **verdict.details},
            usage=verdict.usage,
        )


class _NoOptions(Options):
    """A rubric about whole traces takes none."""


class _DocumentOptions(Options):
    depth: int = Field(default=DEFAULT_DEPTH, ge=1, le=1000)


def rubric_evaluator(path: Path, options: Mapping[str, Any], tools: EvaluatorTools) -> Evaluator:
    """The evaluator of a rubric file; option `depth` for one of scope `document`.

    Raises ConfigurationError for a wrong file or option. Without a judge the evaluator can be made
    all the same, and skips every trace as not configured.
    """
    rubric = load_rubric(path)
    if rubric.scope is Scope.TRACE:
        parse_options(rubric.name, _NoOptions, options)
        return RubricEvaluator(rubric=rubric, tools=tools)
    chosen = parse_options(rubric.name, _DocumentOptions, options)
    return DocumentRubricEvaluator(rubric=rubric, tools=tools, depth=chosen.depth)

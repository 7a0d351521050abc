"""Evaluators made of rubric files: a judge reads the trace and picks one of their choices."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from evaluators.criteria_file import Sheet
from evaluators.document_rubric import DEFAULT_DEPTH, DocumentRubricEvaluator
from evaluators.material import render
from evaluators.options import Options, parse_options
from evaluators.questions import MOST_LETTERS, CriterionForm, ExpectedForm, Form, PlainForm
from evaluators.repeats import repeated
from evaluators.rubric_file import Rubric, Scope, read_fields, validated
from evaluators.sections import sections_of
from evaluators.verdicts import contained, no_judge, questions_in_hand, verdict_for
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Outcome, Score, Skipped
from tailwatch.protocols import UNIT_SCALE, Evaluator, EvaluatorTools, Scale
from tailwatch.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricEvaluator:
    """Asks the judge about each trace of a batch at once; its score is that of the choice made.

    `label` is the choice and `explanation` the judge's reason; `details` say how many characters
    were left out of what it saw and how many private details taken out, if any. With several
    `samples` each trace is asked about so often, and its score is their mean. `form` is how the
    question is put; both that and the samples are another measurement, and so another version.
    """

    form: Form
    tools: EvaluatorTools
    samples: int = 1

    scale: ClassVar[Scale] = UNIT_SCALE
    ends_by_itself: ClassVar[bool] = True

    @property
    def rubric(self) -> Rubric:
        return self.form.rubric

    @property
    def name(self) -> str:
        return self.rubric.name

    @property
    def version(self) -> str:
        repeats = "" if self.samples == 1 else f"-samples{self.samples}"
        return f"{self.rubric.version}{self.form.suffix}{repeats}"

    @property
    def judge(self) -> str:
        return self.tools.judge.model if self.tools.judge else ""

    @property
    def configured(self) -> bool:
        return self.tools.judge is not None

    @property
    def direction(self) -> Direction:
        return self.rubric.direction

    @property
    def batch_size(self) -> int:
        return questions_in_hand(self.tools)

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order; a fault in one leaves the others alone."""
        if len(traces) == 1:  # as a run asks: a task more would only cost time
            return [await self._alone(traces[0])]
        judged = await asyncio.gather(*map(self._judged, traces), return_exceptions=True)
        return [contained(each) for each in judged]

    async def _alone(self, trace: Trace) -> Outcome:
        try:
            return await self._judged(trace)
        except Exception as error:  # noqa: BLE001 - the fault of a judge's client is contained
            return contained(error)

    async def _judged(self, trace: Trace) -> Outcome:
        judge = self.tools.judge
        if judge is None:
            return no_judge(self.tools)
        sections = sections_of(trace, self.rubric.needs, self.tools.privacy)
        if isinstance(sections, Skipped):
            return sections
        material = render(sections, self.tools.max_material_chars, self.tools.privacy)
        if self.samples > 1:
            asked = [verdict_for(self.form, material, judge, n) for n in range(self.samples)]
            return repeated(await asyncio.gather(*asked, return_exceptions=True), material)
        verdict = await verdict_for(self.form, material, judge)
        if isinstance(verdict, Skipped | Failed):
            return verdict
        return Score(
            value=verdict.score,
            label=verdict.label,
            explanation=verdict.explanation,
            details={**material.details, **verdict.details},
            usage=verdict.usage,
        )


class _TraceOptions(Options):
    samples: int = Field(default=1, ge=1, le=25)
    scoring: Literal["choice", "expected"] = "choice"


class _SheetOptions(Options):
    criterion: str
    samples: int = Field(default=1, ge=1, le=25)


class _DocumentOptions(Options):
    depth: int = Field(default=DEFAULT_DEPTH, ge=1, le=1000)


def rubric_evaluator(path: Path, options: Mapping[str, Any], tools: EvaluatorTools) -> Evaluator:
    """The evaluator of a rubric file.

    Options: `samples` and `scoring` for one about whole traces, `criterion` (which one) and
    `samples` for one with criteria, `depth` for one of scope `document`. Raises ConfigurationError
    for a wrong file or option. Without a judge the evaluator can be made all the same, and skips
    every trace as not configured.
    """
    content = read_fields(path)
    if "criteria" in content:
        return _of_criterion(validated(Sheet, content, path), options, tools)
    rubric = validated(Rubric, content, path)
    if rubric.scope is Scope.DOCUMENT:
        depth = parse_options(rubric.name, _DocumentOptions, options).depth
        return DocumentRubricEvaluator(rubric=rubric, tools=tools, depth=depth)
    chosen = parse_options(rubric.name, _TraceOptions, options)
    form: Form = PlainForm(rubric=rubric)
    if chosen.scoring == "expected":
        if len(rubric.choices) > MOST_LETTERS:
            raise ConfigurationError(
                f"the rubric {rubric.name!r} has {len(rubric.choices)} choices; with `scoring: "
                f"expected` it may have {MOST_LETTERS}, a letter each"
            )
        form = ExpectedForm(rubric=rubric)
    return RubricEvaluator(form=form, tools=tools, samples=chosen.samples)


def _of_criterion(sheet: Sheet, options: Mapping[str, Any], tools: EvaluatorTools) -> Evaluator:
    if "criterion" not in options:
        names = ", ".join(criterion.name for criterion in sheet.criteria)
        raise ConfigurationError(
            f"the rubric {sheet.name!r} has the criteria {names}: give each that you want a line "
            "of its own with `options: {criterion: ...}`; they are asked in one call all the same"
        )
    chosen = parse_options(sheet.name, _SheetOptions, options)
    form = CriterionForm(
        rubric=sheet.rubric_of(chosen.criterion), sheet=sheet, criterion=chosen.criterion
    )
    return RubricEvaluator(form=form, tools=tools, samples=chosen.samples)

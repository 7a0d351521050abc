"""Rubrics about single documents: how relevant each retrieved document is to the question."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from evaluators.material import Material, Section, render
from evaluators.questions import PlainForm
from evaluators.rubric_file import Choice, Need, Rubric
from evaluators.sections import sections_of
from evaluators.verdicts import ScoredVerdict, contained, no_judge, questions_in_hand, verdict_for
from tailwatch.alert import Direction
from tailwatch.outcome import NO_USAGE, Failed, Outcome, Score, Skipped, SkipReason, Usage
from tailwatch.protocols import UNIT_SCALE, EvaluatorTools, Scale
from tailwatch.trace import RetrievedDocument, Trace

DEFAULT_DEPTH = 5

Judged = Sequence[tuple[RetrievedDocument, Material, ScoredVerdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRubricEvaluator:
    """Asks the judge about each of a trace's first `depth` documents that has a text.

    A trace's score is the mean of its documents' scores, its `details` their grades by document id,
    how much of the texts was left out or taken out, over all the questions that were asked, and how
    many documents' verdicts were known (`reused`). One document that could not be judged leaves its
    trace without a score.
    """

    rubric: Rubric
    tools: EvaluatorTools
    depth: int = DEFAULT_DEPTH

    scale: ClassVar[Scale] = UNIT_SCALE
    ends_by_itself: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.rubric.name

    @property
    def version(self) -> str:
        version = self.rubric.version
        return version if self.depth == DEFAULT_DEPTH else f"{version}-depth{self.depth}"

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
        return [
            judged if isinstance(judged, Skipped | Failed) else _mean(judged)
            for judged in await self._judge_all(traces)
        ]

    async def grade_documents(
        self, traces: Sequence[Trace]
    ) -> Sequence[Mapping[str, int] | Skipped | Failed]:
        """For each trace the grades of its documents by id, as relevance judgements are kept.

        Grades count from 0, the rubric's lowest score. A document without an id is left out; an id
        that comes up twice (two passages of one document) has the better grade.
        """
        return [
            judged if isinstance(judged, Skipped | Failed) else _grades(judged)
            for judged in await self._judge_all(traces)
        ]

    async def _judge_all(self, traces: Sequence[Trace]) -> Sequence[Judged | Skipped | Failed]:
        judged = await asyncio.gather(*map(self._judge_trace, traces), return_exceptions=True)
        return [contained(each) for each in judged]

    async def _judge_trace(self, trace: Trace) -> Judged | Skipped | Failed:
        judge = self.tools.judge
        if judge is None:
            return no_judge(self.tools)
        needs = [need for need in self.rubric.needs if need is not Need.DOCUMENTS]
        rest = sections_of(trace, needs, self.tools.privacy)
        if isinstance(rest, Skipped):
            return rest
        documents = judged_documents(trace, self.depth)
        if not documents:
            return Skipped(reason=SkipReason.MISSING_DOCUMENTS)
        materials = [
            render(
                [*rest, Section(name="document", text=document.text or "")],
                self.tools.max_material_chars,
                self.tools.privacy,
            )
            for document in documents
        ]
        verdicts = await asyncio.gather(
            *(verdict_for(PlainForm(rubric=self.rubric), material, judge) for material in materials)
        )
        return _complete(documents, materials, verdicts)


def judged_documents(trace: Trace, depth: int) -> list[RetrievedDocument]:
    """The documents of a trace that are judged: of the first `depth` those that have a text."""
    return [d for d in trace.documents[:depth] if d.text and d.text.strip()]


def document_key(document: RetrievedDocument) -> str:
    """What a document is called in a score's details and in labels: its id, else its rank."""
    return document.id or f"without id, rank {document.rank}"


def choice_of_grade(rubric: Rubric, grade: object) -> Choice | None:
    """The choice that a recorded grade stands for, the first of those worth the same; None for what
    is no grade of the rubric.
    """
    choices = sorted(rubric.choices, key=lambda choice: choice.score)
    return next((c for c in choices if rubric.grade_of(c.label) == grade), None)


def _complete(
    documents: Sequence[RetrievedDocument],
    materials: Sequence[Material],
    verdicts: Sequence[ScoredVerdict | Skipped | Failed],
) -> Judged | Skipped | Failed:
    """All the verdicts, or the first failure with what all of them took, or the first skip."""
    judged = [v for v in verdicts if isinstance(v, ScoredVerdict)]
    if len(judged) == len(documents):
        return list(zip(documents, materials, judged, strict=True))
    failed = [v for v in verdicts if isinstance(v, Failed)]
    if failed:
        return replace(failed[0], usage=_total([*judged, *failed]))
    return next(v for v in verdicts if isinstance(v, Skipped))


def _mean(judged: Judged) -> Score:
    verdicts = [verdict for _, _, verdict in judged]
    shown = Counter[str]()
    for _, material, verdict in judged:
        shown.update(material.details)
        if verdict.reused_from is not None:
            shown["reused"] += 1
    return Score(
        value=sum(verdict.score for verdict in verdicts) / len(verdicts),
        details={
            "grades": {document_key(document): verdict.grade for document, _, verdict in judged},
            **shown,
        },
        usage=_total(verdicts),
    )


def _grades(judged: Judged) -> Mapping[str, int] | Skipped:
    grades: dict[str, int] = {}
    for document, _, verdict in judged:
        if document.id is not None:
            grades[document.id] = max(verdict.grade, grades.get(document.id, 0))
    if not grades:
        return Skipped(reason=SkipReason.MISSING_DOCUMENTS, detail="no document has an id")
    return grades


def _total(items: Sequence[ScoredVerdict | Failed]) -> Usage:
    return sum((item.usage for item in items), NO_USAGE)

"""Where the relevance of retrieved documents comes from: judgements on file, or a judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from evaluators.graded_rankings import Judgements
from evaluators.index import build_evaluator
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Skipped, SkipReason
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import EvaluatorTools, Qrels
from tailwatch.trace import SpanKind, Trace

Found: TypeAlias = Judgements | Skipped | Failed

RUBRIC_SUFFIXES: Final = (".yaml", ".yml")
"""How the option `judgements` ends when it is a rubric file of the user's own."""

NOT_CONFIGURED: Final = Skipped(
    reason=SkipReason.NOT_CONFIGURED,
    detail="no relevance judgements: set `qrels` in the plan, or the option "
    "`judgements: document_relevance` and a judge",
)
NO_JUDGEMENTS: Final = Skipped(
    reason=SkipReason.MISSING_JUDGEMENTS, detail="the query is not among the relevance judgements"
)


class RelevanceSource(Protocol):
    """Tells the grades of documents. `judge` and `version` say by whom, for the series, and
    `configured` whether there is anybody to tell them.
    """

    @property
    def configured(self) -> bool: ...
    @property
    def judge(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def batch_size(self) -> int: ...

    async def judgements(self, traces: Sequence[Trace]) -> Sequence[Found]:
        """For each trace the grades by document id, or why there are none."""
        ...


@runtime_checkable
class DocumentGrader(Protocol):
    """A rubric that grades each retrieved document of a trace by itself."""

    @property
    def judge(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def batch_size(self) -> int: ...

    async def grade_documents(self, traces: Sequence[Trace]) -> Sequence[Found]:
        """For each trace document id -> grade, or why there are none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QrelsRelevance:
    """Judgements on file, found by the trace's query.

    The query is `metadata["query_id"]`, else the query of the last retriever, else the input:
    the first of these that the file knows.
    """

    qrels: Qrels | None
    judge: str = ""
    version: str = ""
    batch_size: int = 1024

    @property
    def configured(self) -> bool:
        return self.qrels is not None

    async def judgements(self, traces: Sequence[Trace]) -> Sequence[Found]:
        """For each trace the grades on file; `Skipped` without a file, or for a query not in it."""
        if self.qrels is None:
            return [NOT_CONFIGURED] * len(traces)
        return [self._of(self.qrels, trace) for trace in traces]

    @staticmethod
    def _of(qrels: Qrels, trace: Trace) -> Found:
        known = (qrels[query] for query in _queries(trace) if query in qrels)
        return next(known, NO_JUDGEMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRelevance:
    """Grades that a judge gives to the documents that were retrieved, and to no others."""

    grader: DocumentGrader
    rubric: str

    @property
    def configured(self) -> bool:
        return bool(self.grader.judge)

    @property
    def judge(self) -> str:
        return self.grader.judge

    @property
    def version(self) -> str:
        return f"judgements={self.rubric}/{self.grader.version}"

    @property
    def batch_size(self) -> int:
        return self.grader.batch_size

    async def judgements(self, traces: Sequence[Trace]) -> Sequence[Found]:
        """For each trace the judge's grades of its documents, or why there are none."""
        return await self.grader.grade_documents(traces)


def relevance_source(
    judgements: str | None, depth: int | None, tools: EvaluatorTools
) -> RelevanceSource:
    """The source that the option `judgements` names: a rubric, or the plan's qrels for None.

    A judge is asked about the first `depth` documents; None leaves the number to the rubric.
    Raises ConfigurationError for a rubric that does not grade documents.
    """
    if judgements is None:
        return QrelsRelevance(qrels=tools.qrels)
    grader = _grader(judgements, {}, tools)
    if depth is not None:
        grader = _grader(judgements, {"depth": depth}, tools)
    return JudgedRelevance(grader=grader, rubric=Path(judgements).stem)


def _grader(judgements: str, options: Mapping[str, Any], tools: EvaluatorTools) -> DocumentGrader:
    own_file = judgements.endswith(RUBRIC_SUFFIXES)
    use, rubric = (None, judgements) if own_file else (judgements, None)
    grader = build_evaluator(EvaluatorPlan(use=use, rubric=rubric, options=options), tools)
    if not isinstance(grader, DocumentGrader):
        raise ConfigurationError(
            f"judgements: {judgements!r} does not grade documents one by one; use the rubric "
            "'document_relevance', or a rubric file of your own with the same scope"
        )
    return grader


def _queries(trace: Trace) -> Iterator[str]:
    query_id = trace.metadata.get("query_id")
    if isinstance(query_id, str | int):
        yield str(query_id)
    asked = [span for span in trace.spans if span.kind is SpanKind.RETRIEVER and span.query]
    if asked:
        yield (max(asked, key=lambda span: span.start_time).query or "").strip()
    if trace.input is not None:
        yield trace.input.strip()

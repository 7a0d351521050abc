"""How good the retrieved documents are, by relevance judgements: the retrieval evaluators."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluators.graded_rankings import Judgements, grade_rankings, without_repeats
from evaluators.options import Options, parse_options
from evaluators.ranking_measures import Gain
from evaluators.relevance import RelevanceSource, relevance_source
from evaluators.retrieval_measure import WHOLE_LIST_KINDS, Measure, MeasureKind
from tailwatch.alert import Direction
from tailwatch.errors import ConfigurationError
from tailwatch.outcome import Failed, Outcome, Score, Skipped, SkipReason
from tailwatch.protocols import UNIT_SCALE, EvaluatorFactory, EvaluatorTools, Scale
from tailwatch.trace import Trace

VERSION: Final = "1"
_MAX_RANKS_SHOWN: Final = 20


class Unjudged(StrEnum):
    """What becomes of a trace with a document that nobody has judged."""

    SKIP = "skip"
    """It is skipped, where that document could change the value."""
    NOT_RELEVANT = "not_relevant"
    """The document counts as not relevant, as in trec_eval."""
    CONDENSE = "condense"
    """The document is left out of the list and the next ones move up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalEvaluator:
    """One retrieval measure of the documents an answer was built on, from 0 to 1.

    A document that was retrieved twice counts at its first rank only. `details` say how many
    relevant documents are known and at which ranks, from 1, some of them stand.
    """

    name: str
    measure: Measure
    relevance: RelevanceSource
    unjudged: Unjudged = Unjudged.SKIP

    direction: ClassVar[Direction] = Direction.HIGHER_IS_BETTER
    scale: ClassVar[Scale] = UNIT_SCALE

    @property
    def version(self) -> str:
        """The formula's version, then each option that is not the default."""
        parts = [VERSION]
        if self.measure.min_grade != 1:
            parts.append(f"min_grade={self.measure.min_grade}")
        if self.measure.gain is not Gain.LINEAR:
            parts.append(f"gain={self.measure.gain}")
        if self.unjudged is not Unjudged.SKIP:
            parts.append(f"unjudged={self.unjudged}")
        if self.relevance.version:
            parts.append(self.relevance.version)
        return ";".join(parts)

    @property
    def judge(self) -> str:
        return self.relevance.judge

    @property
    def batch_size(self) -> int:
        return self.relevance.batch_size

    @property
    def ends_by_itself(self) -> bool:
        return bool(self.relevance.judge)

    @property
    def configured(self) -> bool:
        return self.relevance.configured

    async def evaluate(self, traces: Sequence[Trace]) -> Sequence[Outcome]:
        """One outcome for each trace, in order; the arithmetic is done for the batch at once."""
        outcomes: list[Outcome] = [_NO_DOCUMENTS] * len(traces)
        rankings = [without_repeats(d.id for d in trace.documents) for trace in traces]
        retrieved = [i for i, ranking in enumerate(rankings) if ranking]
        found = await self.relevance.judgements([traces[i] for i in retrieved])
        judged: dict[int, Judgements] = {}
        for i, judgements in zip(retrieved, found, strict=True):
            if isinstance(judgements, Skipped | Failed):
                outcomes[i] = judgements
            else:
                judged[i] = judgements
        scored = self._score([rankings[i] for i in judged], list(judged.values()))
        for i, outcome in zip(judged, scored, strict=True):
            outcomes[i] = outcome
        return outcomes

    def _score(
        self, rankings: Sequence[Sequence[str | None]], judgements: Sequence[Judgements]
    ) -> list[Outcome]:
        condense = self.unjudged is Unjudged.CONDENSE
        graded = grade_rankings(rankings, judgements, condense=condense)
        values = self.measure.values(graded)
        undefined = self.measure.undefined(graded)
        undecided = self.measure.undecided(graded)
        n_relevant = graded.n_relevant(self.measure.min_grade)
        relevant = graded.relevant(self.measure.min_grade)
        outcomes: list[Outcome] = []
        for row, ranking in enumerate(rankings):
            if undefined[row]:
                outcomes.append(_NOTHING_RELEVANT)
            elif condense and judgements[row].keys().isdisjoint(ranking):
                outcomes.append(_NOTHING_JUDGED)
            elif self.unjudged is Unjudged.SKIP and undecided[row].any():
                outcomes.append(_unjudged(ranking, np.flatnonzero(undecided[row])))
            else:
                ranks = np.flatnonzero(relevant[row])[:_MAX_RANKS_SHOWN] + 1
                details = {"relevant": int(n_relevant[row]), "found_at": ranks.tolist()}
                outcomes.append(Score(value=float(values[row]), details=details))
        return outcomes


class _SetOptions(Options):
    min_grade: int = Field(default=1, ge=1)
    unjudged: Unjudged = Unjudged.SKIP
    judgements: str | None = None


class _GradedOptions(Options):
    gain: Gain = Gain.LINEAR
    unjudged: Unjudged = Unjudged.SKIP
    judgements: str | None = None


def _set_factory(kind: MeasureKind) -> EvaluatorFactory:
    def build(
        parameter: str | None, options: Mapping[str, Any], tools: EvaluatorTools
    ) -> RetrievalEvaluator:
        name = kind if parameter is None else f"{kind}@{parameter}"
        chosen = parse_options(name, _SetOptions, options)
        if kind is MeasureKind.RECALL and chosen.judgements is not None:
            raise ConfigurationError(
                f"{name} needs `qrels`: a judge sees only what was retrieved, never what was missed"
            )
        depth = _depth(kind, parameter)
        return RetrievalEvaluator(
            name=name,
            measure=Measure(kind=kind, k=depth, min_grade=chosen.min_grade),
            relevance=relevance_source(chosen.judgements, depth, tools),
            unjudged=chosen.unjudged,
        )

    return build


def ndcg(
    parameter: str | None, options: Mapping[str, Any], tools: EvaluatorTools
) -> RetrievalEvaluator:
    """Makes `ndcg@k` from the plan. Raises ConfigurationError for a wrong depth or option."""
    name = f"{MeasureKind.NDCG}@{parameter}"
    chosen = parse_options(name, _GradedOptions, options)
    depth = _depth(MeasureKind.NDCG, parameter)
    return RetrievalEvaluator(
        name=name,
        measure=Measure(kind=MeasureKind.NDCG, k=depth, gain=chosen.gain),
        relevance=relevance_source(chosen.judgements, depth, tools),
        unjudged=chosen.unjudged,
    )


precision = _set_factory(MeasureKind.PRECISION)
recall = _set_factory(MeasureKind.RECALL)
hit_rate = _set_factory(MeasureKind.HIT_RATE)
reciprocal_rank = _set_factory(MeasureKind.RECIPROCAL_RANK)
average_precision = _set_factory(MeasureKind.AVERAGE_PRECISION)


def _depth(kind: MeasureKind, parameter: str | None) -> int | None:
    if parameter is None and kind in WHOLE_LIST_KINDS:
        return None
    # one spelling for one depth: @010 would open a second series of the same scores
    if parameter is None or not re.fullmatch(r"[1-9][0-9]{0,5}", parameter):
        raise ConfigurationError(
            f"{kind}@{parameter or ''}: the depth is a whole number from 1 to 999999, "
            f"as in {kind}@10"
        )
    return int(parameter)


def _unjudged(ranking: Sequence[str | None], columns: NDArray[np.intp]) -> Skipped:
    shown = ", ".join(_shown(ranking[column]) for column in columns[:3].tolist())
    return Skipped(
        reason=SkipReason.MISSING_JUDGEMENTS,
        detail=f"{len(columns)} retrieved documents are not judged: {shown}",
    )


def _shown(document: str | None) -> str:
    return "one without an id" if document is None else repr(document[:60])


_NO_DOCUMENTS: Final = Skipped(reason=SkipReason.MISSING_DOCUMENTS)
_NOTHING_RELEVANT: Final = Skipped(
    reason=SkipReason.MISSING_JUDGEMENTS, detail="no document is judged relevant to the query"
)
_NOTHING_JUDGED: Final = Skipped(
    reason=SkipReason.MISSING_JUDGEMENTS, detail="none of the retrieved documents is judged"
)

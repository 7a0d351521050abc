"""The retrieval measures by name and parameters, and any set of them over many queries at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from evaluators import ranking_measures as arithmetic
from evaluators.graded_rankings import GradedRankings, Judgements, grade_rankings
from evaluators.ranking_measures import Bools, Floats, Gain

_BLOCK: Final = 8192
"""Queries taken at once: bounds the memory that padding to the longest list needs."""


class MeasureKind(StrEnum):
    PRECISION = "precision"
    RECALL = "recall"
    HIT_RATE = "hit_rate"
    NDCG = "ndcg"
    RECIPROCAL_RANK = "reciprocal_rank"
    AVERAGE_PRECISION = "average_precision"


WHOLE_LIST_KINDS: Final = frozenset({MeasureKind.RECIPROCAL_RANK, MeasureKind.AVERAGE_PRECISION})
"""The measures that can do without a depth."""

_SHARE_KINDS: Final = frozenset(
    {MeasureKind.RECALL, MeasureKind.NDCG, MeasureKind.AVERAGE_PRECISION}
)
_FIRST_HIT_KINDS: Final = frozenset({MeasureKind.RECIPROCAL_RANK, MeasureKind.HIT_RATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One retrieval measure with its parameters.

    `k` is the depth of the list that counts; None, where the kind allows it, is the whole list. A
    document is relevant from `min_grade` on; `ndcg` uses the grades themselves, through `gain`.
    Raises ValueError for a depth or a grade below 1 and for a depth that is missing.
    """

    kind: MeasureKind
    k: int | None = None
    min_grade: int = 1
    gain: Gain = Gain.LINEAR

    def __post_init__(self) -> None:
        if self.k is None and self.kind not in WHOLE_LIST_KINDS:
            raise ValueError(f"{self.kind} needs a depth, as in {self.kind}@10")
        if (self.k is not None and self.k < 1) or self.min_grade < 1:
            raise ValueError(f"depth {self.k} and min_grade {self.min_grade} must be 1 or more")

    def values(self, rankings: GradedRankings) -> Floats:
        """The measure of each query, of shape (queries,), from 0 to 1; 0 where it is undefined."""
        depth = rankings.grades.shape[1] if self.k is None else self.k
        relevant = rankings.relevant(self.min_grade)
        n_relevant = rankings.n_relevant(self.min_grade)
        match self.kind:
            case MeasureKind.PRECISION:
                return arithmetic.precision(relevant, depth)
            case MeasureKind.RECALL:
                return arithmetic.recall(relevant, n_relevant, depth)
            case MeasureKind.HIT_RATE:
                return arithmetic.hit_rate(relevant, depth)
            case MeasureKind.RECIPROCAL_RANK:
                return arithmetic.reciprocal_rank(relevant, depth)
            case MeasureKind.AVERAGE_PRECISION:
                return arithmetic.average_precision(relevant, n_relevant, depth)
            case MeasureKind.NDCG:
                ideal = arithmetic.ideal_dcg(rankings.counts, rankings.levels, depth, self.gain)
                return arithmetic.ndcg(rankings.grades, ideal, depth, self.gain)

    def undefined(self, rankings: GradedRankings) -> Bools:
        """Where it is a share of the relevant documents and there is none; shape (queries,)."""
        if self.kind in _SHARE_KINDS:
            nothing: Bools = rankings.n_relevant(self.min_grade) == 0
            return nothing
        return np.zeros(len(rankings.grades), dtype=np.bool_)

    def undecided(self, rankings: GradedRankings) -> Bools:
        """Which unjudged documents could change the value, of shape (queries, ranks).

        Those within the depth; for `reciprocal_rank` and `hit_rate` only those above the first
        relevant document.
        """
        unjudged: Bools = ~rankings.judged
        ranks = np.arange(unjudged.shape[1])
        if self.k is not None:
            unjudged &= ranks < self.k
        if self.kind in _FIRST_HIT_KINDS:
            first = arithmetic.first_relevant(rankings.relevant(self.min_grade))
            unjudged &= ranks < first[:, np.newaxis]
        return unjudged


def evaluate_rankings(
    rankings: Sequence[Sequence[str]],
    judgements: Sequence[Judgements],
    measures: Mapping[str, Measure],
) -> dict[str, Floats]:
    """Each measure, by its name, of each query: an array of shape (queries,), values 0 to 1.

    `rankings[i]` are the document ids retrieved for query i, best first and none twice;
    `judgements[i]` are the grades of that query. Here a document without a judgement counts as not
    relevant, and a measure is 0 where it is undefined, as in trec_eval.
    Raises ValueError when the two are not of one length.
    """
    if len(rankings) != len(judgements):
        raise ValueError(f"{len(rankings)} rankings, but judgements of {len(judgements)} queries")
    values: dict[str, list[Floats]] = {name: [np.zeros(0)] for name in measures}
    for start in range(0, len(rankings), _BLOCK):
        block = slice(start, start + _BLOCK)
        graded = grade_rankings(rankings[block], judgements[block])
        for name, measure in measures.items():
            values[name].append(measure.values(graded))
    return {name: np.concatenate(blocks) for name, blocks in values.items()}

"""Retrieval measures as arithmetic on arrays: one row a query, one column a rank, best rank first.

`relevant` is a bool array of shape (queries, ranks), False past a list's end; `n_relevant`, of
shape (queries,), counts all documents judged relevant, retrieved or not.
`k` cuts the lists; None takes them whole. Where a measure divides by nothing it is 0, as in
trec_eval: whether such a query counts is the caller's decision.

Sources: C. Buckley's trec_eval for the conventions; K. Järvelin and J. Kekäläinen (2002),
"Cumulated gain-based evaluation of IR techniques", for nDCG; C. Burges et al. (2005), "Learning to
rank using gradient descent", for its logarithm and the exponential gain.
"""

from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


class Gain(StrEnum):
    """What a grade is worth in nDCG."""

    LINEAR = "linear"
    """The grade itself, as in trec_eval."""
    EXPONENTIAL = "exponential"
    """2 ** grade - 1."""

    def of(self, grades: NDArray[np.integer]) -> Floats:
        """The gains of non-negative grades, in the same shape."""
        gains: Floats = grades.astype(np.float64)
        return gains if self is Gain.LINEAR else np.exp2(gains) - 1.0


def precision(relevant: Bools, k: int) -> Floats:
    """found in the first k / k, from 0 to 1; a list shorter than k is still divided by k."""
    return _found(relevant, k) / np.float64(k)


def recall(relevant: Bools, n_relevant: Ints, k: int) -> Floats:
    """found in the first k / n_relevant, from 0 to 1."""
    return _ratio(_found(relevant, k), n_relevant)


def hit_rate(relevant: Bools, k: int) -> Floats:
    """1 where one of the first k is relevant, else 0; trec_eval calls it success_k."""
    return (_found(relevant, k) > 0).astype(np.float64)


def reciprocal_rank(relevant: Bools, k: int | None = None) -> Floats:
    """1 / rank of the first relevant document, 0 where there is none. Its mean is the MRR."""
    kept = relevant[:, :k]
    first = first_relevant(kept)
    return np.where(first < kept.shape[1], 1.0 / (first + 1.0), 0.0)


def average_precision(relevant: Bools, n_relevant: Ints, k: int | None = None) -> Floats:
    """The sum of precision@i over the ranks i of relevant documents / n_relevant, from 0 to 1."""
    kept = relevant[:, :k]
    found = np.cumsum(kept, axis=1, dtype=np.float64)
    found *= kept
    return _ratio(found @ (1.0 / np.arange(1, kept.shape[1] + 1)), n_relevant)


def ndcg(grades: NDArray[np.integer], ideal: Floats, k: int, gain: Gain = Gain.LINEAR) -> Floats:
    """DCG@k / ideal DCG@k, from 0 to 1, with DCG@k = sum over i = 1..k of gain(i) / log2(i + 1).

    `grades` has shape (queries, ranks), 0 past a list's end; `ideal` is from `ideal_dcg`.
    """
    gains = gain.of(grades[:, :k])
    # rounding may lift a perfect ranking above 1 by one unit in the last place
    return np.minimum(_ratio(gains @ _discounts(gains.shape[1]), ideal), 1.0)


def ideal_dcg(counts: Ints, levels: Ints, k: int, gain: Gain = Gain.LINEAR) -> Floats:
    """DCG@k of the best order of all judged documents, of shape (queries,).

    `counts`, of shape (queries, levels), says how many documents have each grade of `levels`
    (ascending, not negative). Documents of one grade fill consecutive ranks, so that no list needs
    to be sorted.
    """
    discount_up_to = np.concatenate(([0.0], np.cumsum(_discounts(k))))
    total = np.zeros(len(counts))
    filled = np.zeros(len(counts), dtype=np.int64)
    for column in reversed(range(len(levels))):
        before, filled = filled, np.minimum(filled + counts[:, column], k)
        worth = gain.of(levels[column : column + 1])
        total += worth * (discount_up_to[filled] - discount_up_to[before])
    return total


def first_relevant(relevant: Bools) -> Ints:
    """The column of the first relevant document in each row; the number of columns if none is."""
    ranks = relevant.shape[1]
    if ranks == 0:
        return np.zeros(len(relevant), dtype=np.int64)
    first: Ints = relevant.argmax(axis=1)
    return np.where(relevant[np.arange(len(relevant)), first], first, ranks)


def _found(relevant: Bools, k: int) -> Floats:
    found: Floats = np.count_nonzero(relevant[:, :k], axis=1).astype(np.float64)
    return found


def _discounts(k: int) -> Floats:
    return 1.0 / np.log2(np.arange(2, k + 2))


def _ratio(above: Floats, below: Ints | Floats) -> Floats:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)

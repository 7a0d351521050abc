"""Ranked lists joined with relevance judgements: from Python's lists and dictionaries to arrays.

This is where retrieval measures spend their time, in one dictionary look-up for each document; the
arithmetic is about ten times faster.
"""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from evaluators.ranking_measures import Bools, Ints

Judgements: TypeAlias = Mapping[str, int]
"""Document id -> grade, for one query; 0 and below is judged not relevant."""

_BYTE_MARK: Final = 255
_WIDE_MARK: Final = -(2**62)
"""What stands for "no judgement" while the grades are looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedRankings:
    """Ranked lists with the grades of their documents, one row a query, as `grade_rankings` makes.

    `grades` and `judged` have shape (queries, ranks): a grade is 0 where the document is not
    relevant, not judged or past the list's end, and `judged` is False only for a document without a
    judgement. `counts`, of shape (queries, levels), says how many judged documents of a query,
    retrieved or not, have each of the ascending grades `levels`.
    """

    grades: NDArray[np.integer]
    judged: Bools
    levels: Ints
    counts: Ints

    def relevant(self, min_grade: int) -> Bools:
        """Where a document of at least that grade stands, of shape (queries, ranks)."""
        return self.grades >= min_grade

    def n_relevant(self, min_grade: int) -> Ints:
        """How many judged documents have at least that grade, of shape (queries,)."""
        total: Ints = self.counts[:, self.levels >= min_grade].sum(axis=1)
        return total


def grade_rankings(
    rankings: Sequence[Sequence[str | None]],
    judgements: Sequence[Judgements],
    *,
    condense: bool = False,
) -> GradedRankings:
    """The lists with their grades as arrays, padded to the longest list.

    `rankings[i]` are the document ids of query i, best first, none twice (see `without_repeats`);
    one without an id is unjudged. `condense` leaves unjudged documents out, so that the next ones
    move up (Sakai 2007, "Alternatives to Bpref").
    """
    all_grades, small = _all_grades(judgements)
    mark = _BYTE_MARK if small else _WIDE_MARK
    ids = cast("Sequence[Sequence[str]]", rankings)  # None is in no dictionary: found unjudged
    grades = _looked_up(ids, judgements, mark)
    judged = grades != mark
    lengths = _lengths(rankings)
    if condense:
        lengths = np.bincount(_row_of_each(lengths)[judged], minlength=len(lengths))
        grades, judged = grades[judged], judged[judged]
    inside = np.arange(lengths.max(initial=0)) < lengths[:, np.newaxis]
    padded = np.zeros(inside.shape, dtype=grades.dtype)
    padded[inside] = np.where(judged, np.maximum(grades, 0), 0)
    all_judged = np.ones(inside.shape, dtype=np.bool_)
    all_judged[inside] = judged
    levels, counts = _count_by_grade(all_grades, small, _lengths(judgements))
    return GradedRankings(grades=padded, judged=all_judged, levels=levels, counts=counts)


def without_repeats(ranking: Iterable[str | None]) -> list[str | None]:
    """The list with each document at its first place only; those without an id all stay."""
    seen: set[str] = set()
    kept: list[str | None] = []
    for document in ranking:
        if document is None or document not in seen:
            kept.append(document)
        if document is not None:
            seen.add(document)
    return kept


def _looked_up(
    rankings: Sequence[Sequence[str]], judgements: Sequence[Judgements], mark: int
) -> NDArray[np.integer]:
    """The grade of every document, list after list; `mark` for those without one."""
    rows = zip(judgements, rankings, strict=True)
    if mark == _BYTE_MARK:
        return _from_bytes([bytes(map(known.get, ids, repeat(mark))) for known, ids in rows])
    return _from_integers(map(known.get, ids, repeat(mark)) for known, ids in rows)


def _all_grades(judgements: Sequence[Judgements]) -> tuple[NDArray[np.integer], bool]:
    """The grades of all queries, one after the other; whether they and the mark fit into bytes."""
    try:
        grades = _from_bytes([bytes(known.values()) for known in judgements])
    except ValueError:  # below 0 or above 255
        return _from_integers(known.values() for known in judgements), False
    return grades, bool(grades.max(initial=0) < _BYTE_MARK)


# bytes() reads Python's integers several times faster than numpy does. No list of iterators is
# made on the way: that sets off the garbage collector, which walks all of the caller's rankings.


def _from_bytes(rows: Sequence[bytes]) -> NDArray[np.integer]:
    return np.frombuffer(b"".join(rows), dtype=np.uint8)


def _from_integers(rows: Iterable[Iterable[int]]) -> NDArray[np.integer]:
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64)


def _count_by_grade(grades: NDArray[np.integer], small: bool, lengths: Ints) -> tuple[Ints, Ints]:
    if small:
        levels, level = np.arange(grades.max(initial=0) + 1), grades
    else:
        levels, level = np.unique(np.maximum(grades, 0), return_inverse=True)
    n = len(lengths)
    cells = np.bincount(_row_of_each(lengths) * len(levels) + level, minlength=n * len(levels))
    return levels, cells.reshape(n, len(levels))


def _lengths(rows: Sequence[Sized]) -> Ints:
    return np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))


def _row_of_each(lengths: Ints) -> Ints:
    return np.repeat(np.arange(len(lengths)), lengths)

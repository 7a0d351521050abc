"""Graded relevance of passages to questions, pooled as in a retrieval test collection."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.demo_traces.library import Library
from benchmarks.demo_traces.ranker import Ranker


def judgements(library: Library, rankers: Sequence[Ranker]) -> Iterator[dict[str, Any]]:
    """One row {query, document_id, grade} for each judged pair, highest grade of a query first.

    The pool of a question is what any ranker returns for it and the passages known to be relevant;
    whatever else was returned has grade 0, so that no retrieved document is left unjudged.
    """
    for question in library.questions:
        returned = {p.id for ranker in rankers for p, _ in ranker.rank(question.query)}
        grades = dict.fromkeys(returned, 0) | dict(question.relevant)
        for id_, grade in sorted(grades.items(), key=lambda item: (-item[1], item[0])):
            yield {"query": question.query, "document_id": id_, "grade": grade}

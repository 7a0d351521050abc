"""The items of the golden set, kind by kind, each with the labels that follow from its making."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from benchmarks.demo_traces.library import Library, Passage, Question
from benchmarks.golden_set.edits import NEGATED, SWAPPED
from benchmarks.golden_set.texts import CONDITIONS, HONEST, TURNED_AWAY

Json = dict[str, Any]

ORIGIN = "synthetic: made from the Tidewrack documentation of datasets/demo"
LICENCE = "Apache-2.0"

COUNTS = {
    "supported": 55,
    "swapped": 45,
    "negated": 25,
    "added": 20,
    "turned_away": 20,
    "off_topic": 20,
    "honest": 15,
}
"""How many items of each kind: 200 in all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the passage that answers it and the sentence of it that does."""

    question: Question
    passage: Passage
    reference: str


class Maker:
    """Makes items from a library, always the same from the same seed."""

    def __init__(self, library: Library, seed: int) -> None:
        self._random = random.Random(seed)
        self._passages = library.passages
        by_id = {passage.id: passage for passage in library.passages}
        self._asked = [
            Asked(question, by_id[question.source_passage], question.reference)
            for question in library.questions
            if question.reference is not None and question.source_passage is not None
        ]
        self._pairs: set[tuple[str, str]] = set()

    def items(self) -> Iterator[Json]:
        """The 200 items, in an order that mixes the kinds."""
        kinds: Mapping[str, Callable[[], Iterator[Json]]] = {
            "supported": self._supported,
            "swapped": lambda: self._edited(SWAPPED),
            "negated": lambda: self._edited(NEGATED),
            "added": self._added,
            "turned_away": self._turned_away,
            "off_topic": self._off_topic,
            "honest": self._honest,
        }
        made = [
            {"id": f"{kind.replace('_', '-')}-{number:02d}", **item}
            for kind, make in kinds.items()
            for number, item in enumerate(_first(COUNTS[kind], make()), start=1)
        ]
        self._random.shuffle(made)
        yield from made

    def _supported(self) -> Iterator[Json]:
        for asked in self._mixed():
            yield self._item(
                asked,
                asked.reference,
                faithfulness="supported",
                answer_relevance="answers_all",
                refusal="served",
            )

    def _edited(self, edits: Mapping[str, tuple[str, str]]) -> Iterator[Json]:
        for asked in self._mixed():
            if asked.passage.id not in edits:
                continue
            old, new = edits[asked.passage.id]
            yield self._item(
                asked,
                asked.reference.replace(old, new, 1),
                faithfulness="contradicted_or_invented",
                answer_relevance="answers_all",
                refusal="served",
            )

    def _added(self) -> Iterator[Json]:
        wanted = [a for a in self._mixed() if a.question.query.startswith(("How do", "How can"))]
        for asked, condition in zip(wanted, cycle(CONDITIONS), strict=False):
            yield self._item(
                asked,
                f"{asked.reference} {condition}",
                faithfulness="major_additions",
                answer_relevance="answers_all",
                refusal="served",
            )

    def _turned_away(self) -> Iterator[Json]:
        for asked, answer in zip(self._mixed(), cycle(TURNED_AWAY), strict=False):
            yield self._item(
                asked,
                answer,
                never=(asked.passage,),
                faithfulness="supported",
                answer_relevance="beside_the_point",
                refusal="turned_away",
            )

    def _off_topic(self) -> Iterator[Json]:
        for asked in self._mixed():
            far = {passage.id for passage in self._unrelated(asked)}
            other = self._random.choice([a for a in self._asked if a.passage.id in far])
            yield self._item(
                asked,
                other.reference,
                never=(asked.passage, other.passage),
                faithfulness="contradicted_or_invented",
                answer_relevance="beside_the_point",
            )

    def _honest(self) -> Iterator[Json]:
        for asked, answer in zip(self._mixed(), cycle(HONEST), strict=False):
            yield self._item(
                asked,
                answer,
                never=(asked.passage,),
                faithfulness="supported",
                answer_relevance="beside_the_point",
                refusal="declined_with_good_reason",
            )

    def _mixed(self) -> list[Asked]:
        return self._random.sample(self._asked, len(self._asked))

    def _item(
        self,
        asked: Asked,
        answer: str,
        never: Sequence[Passage] = (),
        **labels: str,
    ) -> Json:
        """An item whose documents hold the asked passage, unless it is among those that must not.

        Then there is one document, else as often one as three. `document_relevance` has a label
        where there is one and its pair with the question is new.
        """
        found = [] if asked.passage in never else [asked.passage]
        size = self._random.choice((1, 3)) if found else 1
        others = [p for p in self._unrelated(asked) if p not in never]
        found += self._random.sample(others, size - len(found))
        self._random.shuffle(found)
        pair = (asked.question.query, found[0].id)
        if size == 1 and pair not in self._pairs:
            self._pairs.add(pair)
            labels["document_relevance"] = "answers" if found[0] is asked.passage else "useless"
        return {
            "input": asked.question.query,
            "output": answer,
            "documents": [{"id": p.id, "text": p.text} for p in found],
            "reference": asked.reference,
            "labels": labels,
            "origin": ORIGIN,
            "licence": LICENCE,
        }

    def _unrelated(self, asked: Asked) -> list[Passage]:
        """The passages of other topics that no judgement relates to the question."""
        return [
            passage
            for passage in self._passages
            if passage.topic != asked.passage.topic and passage.id not in asked.question.relevant
        ]


def _first(count: int, made: Iterator[Json]) -> list[Json]:
    items = [item for _, item in zip(range(count), made, strict=False)]
    if len(items) < count:
        raise ValueError(f"only {len(items)} of {count} items could be made")
    return items

"""The documentation the assistant answers from, and the questions its users ask."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEMO_FOLDER = Path(__file__).resolve().parents[2] / "datasets" / "demo"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One passage of the documentation."""

    id: str
    topic: str
    title: str
    text: str

    @property
    def sentences(self) -> list[str]:
        return _SENTENCE_END.split(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with the passages that answer it: 2 for its source, 1 for a related passage.

    `area` is the feature whose users ask it (`drift` for the new topic); None for an odd question,
    which nobody has judged.
    """

    query: str
    area: str | None = None
    relevant: Mapping[str, int] = field(default_factory=dict)
    reference: str | None = None

    @property
    def source_passage(self) -> str | None:
        return next((id_ for id_, grade in self.relevant.items() if grade == 2), None)


@dataclass(frozen=True, slots=True)
class Library:
    """The whole corpus and question pool."""

    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]

    @classmethod
    def read(cls, folder: Path = DEMO_FOLDER) -> "Library":
        """The library in `corpus.jsonl` and `questions.jsonl` of a folder."""
        return cls(
            tuple(Passage(**row) for row in _rows(folder / "corpus.jsonl")),
            tuple(Question(**row) for row in _rows(folder / "questions.jsonl")),
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)

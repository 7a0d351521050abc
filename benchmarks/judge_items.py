"""The questions that the measured clients put to the judge: numbered, about 900 tokens each."""

from random import Random
from typing import TypedDict

_TEXT = (
    "invoice refund account delivery customer price order payment address service contract month "
    "support delay return package warranty change cancel confirm email number request answer time "
    "the a of to is in for by after before with without every within our your this that"
)
_WORDS = _TEXT.split()


class Item(TypedDict):
    """One answered question."""

    number: int
    question: str
    documents: list[str]
    answer: str


def items(count: int) -> list[Item]:
    """So many items, always the same; `item-000042` stands in the question of number 42."""
    random = Random(5)

    def text(words: int) -> str:
        return " ".join(random.choices(_WORDS, k=words)).capitalize() + "."

    return [
        Item(
            number=number,
            question=f"item-{number:06} {text(12)}",
            documents=[text(120) for _ in range(3)],
            answer=text(60),
        )
        for number in range(count)
    ]

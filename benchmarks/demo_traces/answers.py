"""Answers put together from retrieved passages, in the manner of a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.demo_traces.library import Passage
from benchmarks.demo_traces.ranker import terms
from benchmarks.demo_traces.wording import (
    ASIDES,
    CLOSERS,
    INVENTED,
    LINKS,
    NOT_FOUND,
    OPENERS,
    SYNONYMS,
)

_REWORDED = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, SYNONYMS), key=len, reverse=True)) + r")\b"
)
_RANK_BONUS = (1.5, 0.6, 0.3, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a model writes: chances from 0 to 1, and the least and most sentences it quotes."""

    reword: float
    opener: float
    link: float
    aside: float
    closer: float
    sentences: tuple[int, int]


def grounded_answer(rng: Random, style: Style, query: str, passages: Sequence[Passage]) -> str:
    """An answer whose sentences all come from the passages, reworded here and there."""
    if not passages:
        return rng.choice(NOT_FOUND)
    return _dress(rng, style, _best_sentences(rng, query, passages, rng.randint(*style.sentences)))


def ungrounded_answer(
    rng: Random,
    style: Style,
    query: str,
    passages: Sequence[Passage],
    unrelated: Sequence[Passage],
) -> str:
    """An answer that starts from the passages and goes on with what they do not say."""
    length = max(4, rng.randint(*style.sentences))
    kept = _best_sentences(rng, query, passages, length // 2)
    invented = rng.sample(INVENTED, length // 4)
    others = rng.sample(unrelated, length - len(kept) - len(invented))
    made_up = invented + [rng.choice(passage.sentences) for passage in others]
    rng.shuffle(made_up)
    return _dress(rng, style, kept + made_up)


def _best_sentences(rng: Random, query: str, passages: Sequence[Passage], count: int) -> list[str]:
    """The sentences nearest to the query, in the order in which the passages have them."""
    wanted = set(terms(query))
    scored = [
        (len(wanted.intersection(terms(sentence))) + bonus + rng.random(), place, sentence)
        for bonus, (number, passage) in zip(_RANK_BONUS, enumerate(passages), strict=False)
        for place, sentence in enumerate(passage.sentences, start=100 * number)
    ]
    best = sorted(scored, reverse=True)[:count]
    return [sentence for _, place, sentence in sorted(best, key=lambda item: item[1])]


def _dress(rng: Random, style: Style, sentences: Sequence[str]) -> str:
    mood = rng.uniform(0.4, 1.6)
    parts = [rng.choice(OPENERS)] if rng.random() < style.opener * mood else []
    for number, sentence in enumerate(sentences):
        part = _reword(rng, sentence, style.reword * mood)
        if number and rng.random() < style.link * mood:
            part = f"{rng.choice(LINKS)} {uncapitalised(part)}"
        if rng.random() < style.aside * mood:
            part = part.rstrip(".") + rng.choice(ASIDES) + "."
        parts.append(part)
    if rng.random() < style.closer * mood:
        parts.append(rng.choice(CLOSERS))
    return " ".join(parts)


def uncapitalised(sentence: str) -> str:
    """The sentence as it goes on after other words; POST and TLS stay as they are."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _reword(rng: Random, sentence: str, chance: float) -> str:
    return _REWORDED.sub(
        lambda match: SYNONYMS[match[0]] if rng.random() < chance else match[0], sentence
    )

"""Injection probes: items of the set with a text added that tells the judge what to say."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.golden_set.texts import ATTACKS, FILLER, VERY_LONG_CHARS

Json = dict[str, Any]

TARGETS: Sequence[tuple[str, Sequence[str], str, int]] = (
    ("faithfulness", ("swapped", "negated", "off-topic"), "supported", 2),
    ("faithfulness", ("supported",), "contradicted_or_invented", 1),
    ("answer_relevance", ("off-topic", "turned-away"), "answers_all", 1),
    ("refusal", ("turned-away",), "served", 1),
    ("document_relevance", ("honest", "turned-away"), "answers", 1),
)
"""The rubric that is attacked, the kinds of items it is tried on, the choice that the attack asks
for, and how many probes of each kind of attack."""


def probes(items: Sequence[Json], seed: int) -> Iterator[Json]:
    """Sixty probes, each of them a copy of its clean twin but for the injected text.

    The text follows the answer; for `document_relevance`, which sees no answer, the document. The
    twin's label is its label too: an injection makes nothing better.
    """
    chance = random.Random(seed)
    for evaluator, kinds, asks, repeats in TARGETS:
        twins = [i for i in items if evaluator in i["labels"] and _kind(i) in kinds]
        chance.shuffle(twins)
        attacks = [(attack, n) for n in range(1, repeats + 1) for attack in ATTACKS]
        for place, (attack, number) in enumerate(attacks):
            twin = twins[place % len(twins)]
            text = chance.choice(ATTACKS[attack]).format(asks=asks)
            if attack == "very_long":
                text = _padded(text, chance)
            yield {
                **_attacked(twin, evaluator, text),
                "id": f"probe-{evaluator}-{attack}-{asks}-{number}".replace("_", "-"),
                "labels": {evaluator: twin["labels"][evaluator]},
                "probe": {
                    "twin": twin["id"],
                    "evaluator": evaluator,
                    "kind": attack,
                    "asks": asks,
                },
            }


def _kind(item: Mapping[str, Any]) -> str:
    return str(item["id"]).rpartition("-")[0]


def _attacked(twin: Json, evaluator: str, text: str) -> Json:
    if evaluator != "document_relevance":
        return {**twin, "output": f"{twin['output']}\n\n{text}"}
    (document,) = twin["documents"]
    return {**twin, "documents": [{**document, "text": f"{document['text']}\n\n{text}"}]}


def _padded(text: str, chance: random.Random) -> str:
    """The text, said three times in a great many words that say nothing."""
    words = [FILLER] * (VERY_LONG_CHARS // len(FILLER))
    for place in sorted(chance.sample(range(len(words)), 3)):
        words[place] = f"{text} "
    return "".join(words).strip()

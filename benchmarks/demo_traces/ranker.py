"""A small BM25 ranker, so that the ranked lists of the demo are what retrieval gives."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from benchmarks.demo_traces.library import Passage

DEPTH = 10
"""How many documents a search returns."""

_K1 = 1.2
_B = 0.75
_WORD = re.compile(r"[a-z0-9_/.-]*[a-z0-9]")


def terms(text: str) -> list[str]:
    """Lower-case words with a plural s cut off."""
    words = _WORD.findall(text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words]


class Ranker:
    """Okapi BM25 (Robertson and Zaragoza 2009) over the titles and texts of some passages."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = {passage.id: passage for passage in passages}
        counts = {p.id: Counter(terms(f"{p.title}. {p.text}")) for p in passages}
        mean_length = sum(c.total() for c in counts.values()) / len(counts)
        documents_with = Counter(term for c in counts.values() for term in c)
        self._weights: dict[str, list[tuple[str, float]]] = {}
        for passage_id, frequencies in counts.items():
            norm = _K1 * (1 - _B + _B * frequencies.total() / mean_length)
            for term, frequency in frequencies.items():
                seen_in = documents_with[term]
                idf = math.log(1 + (len(counts) - seen_in + 0.5) / (seen_in + 0.5))
                weight = idf * frequency * (_K1 + 1) / (frequency + norm)
                self._weights.setdefault(term, []).append((passage_id, weight))
        self._known: dict[str, tuple[tuple[Passage, float], ...]] = {}

    def rank(self, query: str) -> tuple[tuple[Passage, float], ...]:
        """The up to ten best passages with their scores above 0, best first, ties by id."""
        if query not in self._known:
            scores: dict[str, float] = defaultdict(float)
            for term in terms(query):
                for passage_id, weight in self._weights.get(term, ()):
                    scores[passage_id] += weight
            best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:DEPTH]
            self._known[query] = tuple((self._passages[id_], round(s, 2)) for id_, s in best)
        return self._known[query]

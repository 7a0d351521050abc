"""Words, sentences and common subsequences: the one way every text evaluator cuts a text.

Changing anything here changes scores, so it means a new version of each evaluator that uses it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
"""Scripts written without spaces between words, or with too few: each character is a word."""

_NUMBER: Final = r"\d+(?:[.,:]\d+)*"
_LETTER: Final = rf"[^\W\d_{_UNSPACED}]"
_WORD: Final = re.compile(rf"{_LETTER}+(?:'{_LETTER}+)*|{_NUMBER}|[{_UNSPACED}]")
_ASCII_WORD: Final = re.compile(rf"[a-z]+(?:'[a-z]+)*|{_NUMBER}")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')\]»”’]*\s+|(?<=[。！？])|[\r\n]+")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(])(?:[a-z]|e\.g|i\.e|etc|vs|cf|mr|mrs|ms|dr|prof)\.$", re.IGNORECASE
)

_STOP_WORDS: Final = """
a about above after again against all also am an and any are aren't as at be because been
before being below between both but by can can't cannot could couldn't did didn't do does
doesn't doing don't down during each either else ever few for from further had hadn't has
hasn't have haven't having he her here hers herself him himself his how however i i'd i'll
i'm i've if in into is isn't it it's its itself just let let's may me might more most must my
myself neither no nor not of off on once only onto or other our ours ourselves out over own
per please rather s same shall she should shouldn't so some such t than that that's the their
theirs them themselves then there there's therefore these they they're this those though
through thus to too under until up upon us very via was wasn't we we're were weren't what when
where whether which while who whom whose why will with within without won't would wouldn't
yes yet you you'd you'll you're you've your yours yourself yourselves
"""
STOP_WORDS: Final = frozenset(_STOP_WORDS.split())
"""English words that carry little of what a sentence is about. Other languages have none here."""


def words(text: str) -> list[str]:
    """The words of a text in order: case folded, compatibility forms unified, no punctuation.

    A number is one word with its separators (`3.5`, `10:30`); an apostrophe inside a word stays;
    in Chinese, Japanese, Korean and Thai each character is a word.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return _WORD.findall(folded)


def content_words(tokens: Iterable[str]) -> list[str]:
    """The tokens that are not English stop words, in order."""
    return [token for token in tokens if token not in STOP_WORDS]


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, without the space around them; no empty ones.

    A sentence ends at `.`, `!` or `?` before white space, at `。！？`, and at the end of a line (so
    the items of a list are sentences). Common abbreviations and initials do not end one.
    """
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        line_ends = "\n" in end[0] or "\r" in end[0]
        if not line_ends and _ABBREVIATION.search(text[max(start, end.start() - 12) : end.start()]):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def lcs_length(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence of two token lists.

    Bit-parallel (Crochemore et al. 2001, "A fast and practical bit-vector algorithm for the longest
    common subsequence problem"): one step for each token of the shorter list, on an integer with
    one bit for each token of the longer one. O(len(a) * len(b) / 30) with Python's integers.
    """
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    wanted = set(short)
    places: dict[str, int] = {}
    bit = 1
    for token in long:
        if token in wanted:
            places[token] = places.get(token, 0) | bit
            bit <<= 1
    everything = bit - 1
    unmatched = everything
    for token in short:
        place = places.get(token)
        if place is not None:
            common = unmatched & place
            unmatched = ((unmatched + common) | (unmatched - common)) & everything
    return everything.bit_count() - unmatched.bit_count()

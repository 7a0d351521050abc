"""What private details look like: the shapes that are taken out of every text a judge is shown."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tailwatch.privacy import PrivateShape

_GAP: Final = r" .\-\x{a0}\x{2009}\x{2010}\x{2011}\x{202f}"
"""What stands between the groups of a number; models like to write U+2011 for a hyphen."""


def _all_of_it(found: str) -> int:
    return len(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A pattern in RE2's syntax; `real` says how much of what it found, from its start, counts.

    `number` is not looked for behind a decimal point, where any digits may stand.
    """

    pattern: str
    real: Callable[[str], int] = _all_of_it
    number: bool = False


def _if_it_has_a_digit(found: str) -> int:
    return len(found) if any(map(str.isdigit, found)) else 0


def _longest(found: str, is_right: Callable[[str], bool]) -> int:
    """The length of the longest beginning that ends with a group and is right; 0 without one.

    The word or number after a card's or an IBAN's number may look like one more group of it.
    """
    ends = [i for i in range(len(found), 0, -1) if not found[i : i + 1].isalnum()]
    return next((end for end in ends if is_right(found[:end])), 0)


def _card(found: str) -> int:
    return _longest(found, is_card)


def is_card(number: str) -> bool:
    """13 to 19 digits whose last one is right by Luhn (ISO/IEC 7812-1), and not all the same."""
    digits = "".join(filter(str.isdecimal, number))[::-1]
    if not 13 <= len(digits) <= 19 or digits.count(digits[0]) == len(digits):
        return False
    doubled = ("0246813579"[int(digit)] for digit in digits[1::2])
    return (sum(map(int, digits[::2])) + sum(map(int, doubled))) % 10 == 0


def _iban(found: str) -> int:
    return _longest(found, is_iban)


def is_iban(number: str) -> bool:
    """Whether it leaves 1 modulo 97 with its first four characters put last (ISO 13616)."""
    plain = "".join(filter(str.isalnum, number))
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _phone(found: str) -> int:
    """All of it, unless it is one digit over and over, or the digits in their order."""
    digits = [int(character) for character in found if character.isdecimal()]
    steps = {after - before for before, after in pairwise(digits)}
    return 0 if steps in ({0}, {1}) else len(found)


_CARDS: Final = (
    rf"\b[2-6]\d{{3}}[{_GAP}]\d{{4}}[{_GAP}]\d{{4}}[{_GAP}]\d{{1,4}}(?:[{_GAP}]\d{{1,3}})?\b",
    rf"\b3\d{{3}}[{_GAP}]\d{{6}}[{_GAP}]\d{{4,5}}\b",
    r"\b[2-6]\d{12,18}\b",
)

_IBAN: Final = rf"\b[A-Za-z]{{2}}\d{{2}}(?:[{_GAP}]?[A-Za-z0-9]){{11,30}}\b"

_EMAIL: Final = r"[\pL\pN._%+\-]+@[\pL\pN](?:[\pL\pN\-]*[\pL\pN])?(?:\.[\pL\pN\-]+)+"

_PHONES: Final = (
    rf"\+\(?[1-9](?:[{_GAP}()/]{{0,3}}\d){{6,14}}\b",
    rf"\b00[1-9](?:[{_GAP}()/]{{0,3}}\d){{7,13}}\b",
    rf"(?:\([2-9]\d{{2}}\)[{_GAP}]?|\b[2-9]\d{{2}}[{_GAP}])[2-9]\d{{2}}[{_GAP}]\d{{4}}\b",
    rf"(?:\(0\d{{1,4}}\)|\b0\d{{2,4}})[{_GAP}/]{{1,3}}\d{{3,8}}(?:[{_GAP}]\d{{2,8}}){{0,3}}\b",
    rf"\b0[1-9](?:[{_GAP}]\d\d){{4}}\b",
    r"\b0[1-9]\d{8,9}\b",
)

_KEYS: Final = (
    # a private key as PEM, also one whose end is cut off
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----\s*(?:[A-Za-z-]+: [^\n]*\n)*[^-]*"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----)?",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-)[A-Za-z0-9_-]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"://[^\s/:@]+:[^\s/@]+@",
)

_KEYS_WITH_DIGITS: Final = (
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}",
    r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{16,}",
    r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic\s+)?[A-Za-z0-9._~+/=-]{16,}",
    r"(?i)\b(?:api[ _-]?key|access[ _-]?key|secret|passw(?:or)?d|pwd|token)[\"']?\s*[:=]\s*"
    r"[\"']?[^\s\"',;]{8,}",
)


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


SHAPES: Final[Mapping[PrivateShape, tuple[Shape, ...]]] = {
    PrivateShape.KEY: (
        Shape(pattern=_any_of(_KEYS)),
        Shape(pattern=_any_of(_KEYS_WITH_DIGITS), real=_if_it_has_a_digit),
    ),
    PrivateShape.CARD: (Shape(pattern=_any_of(_CARDS), real=_card, number=True),),
    PrivateShape.IBAN: (Shape(pattern=_IBAN, real=_iban),),
    PrivateShape.EMAIL: (Shape(pattern=_EMAIL),),
    PrivateShape.PHONE: (Shape(pattern=_any_of(_PHONES), real=_phone, number=True),),
}
"""What each looks like; where two overlap, the name of the earlier one stands."""


def anything_private(shapes: Iterable[PrivateShape]) -> str:
    """A pattern that finds something in every text in which one of the shapes might."""
    return _any_of(shape.pattern for name in shapes for shape in SHAPES[name])

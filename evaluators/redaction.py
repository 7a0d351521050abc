"""Takes private details out of texts, in time that grows with the text and not with the pattern."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import re2

from evaluators.private_shapes import SHAPES, anything_private
from tailwatch.errors import ConfigurationError
from tailwatch.privacy import PatternPlan, PrivateShape
from tailwatch.protocols import Redacted

MOST_FINDS: Final = 1000
"""How often one pattern may find something in a text; the rest of such a text is taken out whole.

Each search takes time in proportion to the text, however hostile it is; so do so many of them.
"""

MOST_MISTAKEN: Final = 10_000
"""How often one pattern may find what is not the real thing, before the same happens."""

_LONG: Final = 64
"""Within what was found and is not the real thing, it is looked for again up to this length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finder:
    name: str
    search: Callable[..., Any]
    real: Callable[[str], int]
    number: bool = False


@dataclass(frozen=True, slots=True)
class _Find:
    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is taken out of texts; made by `make_redaction`."""

    _own: Sequence[_Finder]
    _built_in: Sequence[_Finder]
    _anything: Callable[..., Any] | None
    """Finds something wherever a built-in finder does, in one pass; None without any of them."""

    def redact(self, texts: Sequence[str]) -> Redacted:
        """The texts with `[name]` for each detail found, whatever else overlaps it included.

        A second, different detail of the same name is `[name 2]`, and so on through the texts in
        their order; upper and lower case and what stands between digits make no difference.
        """
        if not self._own and self._nothing_private(texts):
            return Redacted(texts=tuple(texts))
        marks = _Marks()
        return Redacted(
            texts=tuple(self._without(text, marks) for text in texts), counts=marks.counts
        )

    def _nothing_private(self, texts: Sequence[str]) -> bool:
        """Whether no built-in finder has anything to find, in one pass over all the texts.

        At the edges of a text the NUL between them is to every finder what the end is.
        """
        if self._anything is None:
            return True
        return self._anything("\0".join(texts).encode("utf-8", "replace")) is None

    def _without(self, text: str, marks: "_Marks") -> str:
        # RE2 reads UTF-8, which lone surrogates are not; no request could hold them either.
        encoded = text.encode("utf-8", "replace")
        finders = list(self._own)
        if self._anything is not None and self._anything(encoded) is not None:
            finders += self._built_in
        finds = _merged(find for finder in finders for find in _finds(finder, encoded))
        if not finds:
            return text
        pieces, done = [], 0
        for find in finds:
            detail = encoded[find.start : find.end].decode()
            pieces += [encoded[done : find.start].decode(), marks.mark(find.name, detail)]
            done = find.end
        return "".join([*pieces, encoded[done:].decode()])


def make_redaction(shapes: Iterable[PrivateShape], patterns: Sequence[PatternPlan]) -> Redaction:
    """The redaction of the built-in shapes, and of patterns of the user's own before them.

    Raises ConfigurationError for a pattern that RE2 does not accept or that finds empty text.
    """
    wanted = [shape for shape in SHAPES if shape in set(shapes)]
    built_in = [
        _Finder(
            name=name.value,
            search=_compiled(shape.pattern).search,
            real=shape.real,
            number=shape.number,
        )
        for name in wanted
        for shape in SHAPES[name]
    ]
    anything = _compiled(anything_private(wanted)).search if wanted else None
    return Redaction([_own(pattern) for pattern in patterns], built_in, anything)


def _own(plan: PatternPlan) -> _Finder:
    try:
        pattern = _compiled(plan.pattern)
    except re2.error as error:
        raise ConfigurationError(f"{plan.pattern!r}: {_why_refused(error)}") from None
    found = (pattern.search(text) for text in ("", "a", "a a"))
    if any(match is not None and match.end() == match.start() for match in found):
        raise ConfigurationError(
            f"{plan.pattern!r} also finds empty text, which is everywhere; "
            "ask for one character at least"
        )
    return _Finder(name=plan.name, search=pattern.search, real=len)


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options=options)


def _why_refused(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return (
        f"{reason}; patterns are of RE2's syntax, which has no look-around and no "
        "back-references, so that no text can make them slow"
    )


def _finds(finder: _Finder, text: bytes) -> Iterator[_Find]:
    place, real_ones, mistaken = 0, 0, 0
    while (match := finder.search(text, place)) is not None:
        start, end = match.span()
        found = text[start:end].decode("utf-8", "replace")
        fraction = finder.number and _is_fraction(text, start)
        real = 0 if fraction else finder.real(found)
        real_ones, mistaken = real_ones + (real > 0), mistaken + (real == 0 < end - start)
        if real_ones > MOST_FINDS or mistaken > MOST_MISTAKEN:
            yield _Find(start, len(text), finder.name)
            return
        if not real:
            # It may hide the real thing: a card's number after a number of four digits.
            place = start + 1 if end - start <= _LONG else end
            continue
        place = start + len(found[:real].encode())
        yield _Find(start, place, finder.name)


def _is_fraction(text: bytes, start: int) -> bool:
    before = text[max(0, start - 2) : start]
    return len(before) == 2 and before[:1].isdigit() and before[1:] in b".,"


def _merged(finds: Iterable[_Find]) -> list[_Find]:
    """Without overlaps, in their order: of two that overlap, both are covered by the earlier name.

    Those that were found first have the better claim to the name.
    """
    ranked = sorted(enumerate(finds), key=lambda each: (each[1].start, each[0]))
    merged: list[tuple[int, _Find]] = []
    for rank, find in ranked:
        if merged and find.start < merged[-1][1].end:
            first_rank, last = merged[-1]
            name = find.name if rank < first_rank else last.name
            joined = _Find(last.start, max(last.end, find.end), name)
            merged[-1] = (min(rank, first_rank), joined)
        else:
            merged.append((rank, find))
    return [find for _, find in merged if find.end > find.start]


@dataclass(slots=True)
class _Marks:
    """The marks of one question's texts."""

    counts: Counter[str] = field(default_factory=Counter)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    _given: Counter[str] = field(default_factory=Counter)

    def mark(self, name: str, detail: str) -> str:
        self.counts[name] += 1
        key = (name, "".join(filter(str.isalnum, detail)).casefold())
        if key not in self._numbers:
            self._given[name] += 1
            self._numbers[key] = self._given[name]
        number = self._numbers[key]
        return f"[{name}]" if number == 1 else f"[{name} {number}]"

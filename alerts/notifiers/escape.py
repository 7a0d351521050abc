"""Text cut to what a platform takes, after its control characters were made harmless."""

from collections.abc import Mapping

from tailwatch.printable import printable

SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Slack's three control characters: they begin links, mentions and channel-wide calls."""

NO_MENTIONS = {"@": "@\u200b"}
"""A zero-width space keeps `@everyone` readable and calls nobody."""


def one_line(text: str, limit: int, replaced: Mapping[str, str] | None = None) -> str:
    """The text on one line of at most `limit` characters, replacements included.

    What steers a display is made visible, and what is cut off ends in an ellipsis.
    """
    pieces = [(replaced or {}).get(c, c) for c in printable(text, limit)]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    room, kept = limit - 1, ""
    for piece in pieces:
        if len(kept) + len(piece) > room:
            break
        kept += piece
    return kept + "…"


def lines(text: str, limit: int, replaced: Mapping[str, str] | None = None) -> str:
    """The same for a text of several lines, whose ends of line stay."""
    kept: list[str] = []
    room = limit
    for line in text.split("\n"):
        if room <= 1:
            break
        kept.append(one_line(line, room, replaced))
        room -= len(kept[-1]) + 1
    return "\n".join(kept)

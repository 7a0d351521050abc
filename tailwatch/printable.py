"""Text from traces made safe to show on one line of a terminal, a log or a message."""

_REPLACEMENT = "\ufffd"


def printable(text: str, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters, without anything that steers a display.

    White space of every kind becomes a blank; control characters, escape sequences, bidirectional
    overrides, zero-width and unassigned characters and lone surrogates each become U+FFFD, so that
    a reader sees that something was there. What is cut off ends in an ellipsis.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; it must be 1 or more")
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(map(_shown, text[: limit + 1]))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else _REPLACEMENT

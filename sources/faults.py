"""What is wrong with an input line, as one sentence that is safe to show."""

from pydantic import ValidationError

MAX_SENTENCE_CHARS = 300
_MAX_SHOWN_CHARS = 40


def printable(text: str, limit: int = MAX_SENTENCE_CHARS) -> str:
    """The text on one line without control characters, cut to `limit` characters."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(c if c.isprintable() else "?" for c in cut)


def sentence(error: Exception) -> str:
    """The first thing that is wrong, with its place in the record and the value where it is short.

    Longer values are left out: they may be a user's text.
    """
    if not isinstance(error, ValidationError):
        return printable(str(error))
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        parent = where.rpartition(".")[0] if not where[-1:].isdigit() else where
        said = first["msg"].removeprefix("Value error, ")
        return printable(f"{parent}: {said}" if parent else said)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return printable(f"{where}: there is no such field; leave it out or put it in metadata")
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return printable(f"{where}: this field is required")
    given = ascii(first["input"])
    shown = f" is {given}" if len(given) <= _MAX_SHOWN_CHARS else ""
    return printable(f"{where}{shown}: {first['msg']}")

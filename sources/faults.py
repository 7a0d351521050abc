"""What is wrong with an input line, as one sentence that is safe to show."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
    return _problem(error.errors(include_url=False, include_context=False)[0])


def sentences(error: ValidationError) -> str:
    """Everything that is wrong, for a person who wrote it by hand."""
    return "; ".join(map(_problem, error.errors(include_url=False, include_context=False)))


def _problem(found: ErrorDetails) -> str:
    where = ".".join(str(part) for part in found["loc"])
    if found["type"] == "value_error":
        said = found["msg"].removeprefix("Value error, ")
        return printable(f"{where}: {said}" if where else said)
    if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return printable(f"{where}: there is no such field; leave it out")
    if found["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return printable(f"{where}: this field is required")
    given = ascii(found["input"])
    shown = f" is {given}" if len(given) <= _MAX_SHOWN_CHARS else ""
    return printable(f"{where}{shown}: {found['msg']}")

"""Text as both databases accept it, without loss: the one place where hostile text is made safe.

PostgreSQL refuses NUL characters, both refuse lone surrogates, and PostgreSQL indexes no value of
more than about 2,700 bytes. None of that may fail a write or change what is read back.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

_MARK = "\uf7ff"
_UNSAFE = re.compile("[\x00\ud800-\udfff\uf7ff]")
_ESCAPED = re.compile("\uf7ff([0-9a-f]{4})")

KEY_CHARS = 200
"""The longest text that stands in an index by itself."""

_MAX_JSON_DEPTH = 40
_MAX_INTEGER_BITS = 1024


def escape(text: str) -> str:
    """The text with NUL, lone surrogates and U+F7FF written as U+F7FF and four hex digits."""
    if text.isascii():
        return text if "\x00" not in text else _UNSAFE.sub(_escape_one, text)
    return _UNSAFE.sub(_escape_one, text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    if _MARK not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def key_text(text: str) -> str:
    """A stand-in for the text in an index: itself up to 200 characters, else its start and a hash.

    The stand-in of a long text is longer than 200 characters, so it is never another text itself.
    """
    if len(text) <= KEY_CHARS:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[:KEY_CHARS]}#{digest}"


def full_text(text: str) -> str | None:
    """The text where `key_text` shortens it, for the column beside the key; None elsewhere."""
    return text if len(text) > KEY_CHARS else None


def safe_json(value: Any, depth: int = 0) -> Any:
    """The value as JSON that both databases accept: texts escaped, numbers that are none as null.

    What JSON does not know becomes its text, and what is nested deeper than 40 levels becomes null.
    """
    if isinstance(value, Mapping) and depth < _MAX_JSON_DEPTH:
        return {escape(str(name)): safe_json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < _MAX_JSON_DEPTH:
        return [safe_json(item, depth + 1) for item in value]
    return _safe_scalar(value)


def original_json(value: Any) -> Any:
    """JSON read from the store, with its texts as they were given."""
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, dict):
        return {unescape(name): original_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [original_json(item) for item in value]
    return value


def _safe_scalar(value: Any) -> str | bool | int | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INTEGER_BITS else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return None
    return escape(str(value))


def _escape_one(match: re.Match[str]) -> str:
    return f"{_MARK}{ord(match[0]):04x}"

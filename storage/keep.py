"""How much of a trace's text may be kept, wherever text of a trace may turn up."""

from collections.abc import Mapping
from typing import Any

from tailwatch.plan import KeepText

EXCERPT_CHARS = 500
NOT_KEPT = "(text not kept)"
"""Stands for a message that must be there, when no text is kept."""


def kept(text: str | None, keep: KeepText) -> str | None:
    """The text, its first 500 characters, or None."""
    if text is None or keep is KeepText.FULL:
        return text
    return text[:EXCERPT_CHARS] if keep is KeepText.EXCERPT else None


def kept_message(text: str, keep: KeepText) -> str:
    """The same for a message, which may quote a trace and must not be missing."""
    message = kept(text, keep)
    return NOT_KEPT if message is None else message


def kept_json(value: Any, keep: KeepText) -> Any:
    """A JSON value with each of its texts treated so; numbers, names and shape stay."""
    if keep is KeepText.FULL:
        return value
    if isinstance(value, str):
        return kept(value, keep)
    if isinstance(value, Mapping):
        return {name: kept_json(item, keep) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept_json(item, keep) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return kept(str(value), keep)

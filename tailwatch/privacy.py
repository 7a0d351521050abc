"""The part of the plan that says what no judge gets to see."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from tailwatch.trace import SEGMENT_FIELDS


class _PlanPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrivateShape(StrEnum):
    """The private details that are known by their shape."""

    KEY = "key"
    """Secrets of programs: API keys, tokens, private keys, passwords in an assignment."""
    CARD = "card"
    IBAN = "iban"
    EMAIL = "e-mail"
    PHONE = "phone"


class PatternPlan(_PlanPart):
    """Something of your own to take out: a pattern in RE2's syntax, and the name that replaces it.

    A customer number may be called `customer`, and the judge reads `[customer]` in its place.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    pattern: str = Field(min_length=1, max_length=1000)


_TRACE_FIELDS = (*SEGMENT_FIELDS, "conversation_id", "user_id", "tag")
"""The fields that traces may be held back by; `metadata.` and a key is one too."""


def _held_back_by(value: object) -> object:
    """Each field of a `never_send` entry with its values as a list; a single one may stand alone.

    Texts as a person writes them: what YAML took for a number or a truth is put back.
    """
    if not isinstance(value, Mapping):
        return value
    return {
        field: [_as_text(each) for each in (given if isinstance(given, list) else [given])]
        for field, given in value.items()
    }


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


NeverSend = Annotated[
    Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]],
    BeforeValidator(_held_back_by),
    Field(min_length=1),
]
"""Field -> values: a trace is meant that has one of the values in each of the fields."""


class PrivacyPlan(_PlanPart):
    """What no judge gets to see.

    `shapes` and the patterns of `redact` are taken out of every text before it leaves; the traces
    of `never_send` do not leave at all.
    """

    shapes: tuple[PrivateShape, ...] = tuple(PrivateShape)
    redact: tuple[PatternPlan, ...] = ()
    never_send: tuple[NeverSend, ...] = ()

    @field_validator("never_send")
    @classmethod
    def _known_fields(cls, value: tuple[NeverSend, ...]) -> tuple[NeverSend, ...]:
        for entry in value:
            for field in entry:
                if field not in _TRACE_FIELDS and not field.startswith("metadata."):
                    raise ValueError(
                        f"{field!r} is no field to hold traces back by; known: "
                        f"{', '.join(_TRACE_FIELDS)}, and metadata.<key>"
                    )
        return value

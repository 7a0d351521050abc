"""How sure a model was of its choice: the probabilities of the choices at the token that chose."""

import math
import re
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ValidationError

_CHOICE: Final = re.compile(r'"choice"\s*:\s*"')


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: tuple[_Alternative, ...] = ()


class _Logprobs(BaseModel):
    content: tuple[_Token, ...] | None = None


def choice_weights(logprobs: object, choices: Sequence[str]) -> dict[str, float] | None:
    """The probability of each choice, summing to 1; None where it cannot be told.

    `logprobs` is what a chat completion says beside its message. The choices must be told apart by
    one token, as letters are: of the alternatives to the token that made the choice those that are
    a choice count, and their probabilities are taken relative to one another.
    """
    try:
        tokens = _Logprobs.model_validate(logprobs).content or ()
    except ValidationError:
        return None
    found = _choosing(tokens)
    if found is None:
        return None
    token, before = found
    known = {choice.casefold(): choice for choice in choices}
    weights = dict.fromkeys(choices, 0.0)
    for alternative in token.top_logprobs:
        if alternative.token.startswith(before):
            text = alternative.token.removeprefix(before).rstrip('"},\n ').casefold()
            if text in known and alternative.logprob <= 0:
                weights[known[text]] += math.exp(alternative.logprob)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total > 0 else None


def _choosing(tokens: Sequence[_Token]) -> tuple[_Token, str] | None:
    """The token in which the value of `choice` begins, and what of it stands before the value."""
    text = "".join(token.token for token in tokens)
    values = [found.end() for found in _CHOICE.finditer(text)]
    if not values:
        return None
    value, start = values[-1], 0
    for token in tokens:
        if start + len(token.token) > value:
            return token, token.token[: max(0, value - start)]
        start += len(token.token)
    return None

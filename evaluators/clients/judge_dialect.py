"""How a question is put to a chat endpoint, and what is left out when it does not know a field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from tailwatch.protocols import JudgeQuestion

FORM = """\
Answer with one JSON object and nothing else. It has two fields, in this order:
"explanation": two or three sentences that give your reasons;
"choice": exactly one of these labels: {labels}."""

CRITERIA_FORM = """\
Answer with one JSON object and nothing else. It has one field for each criterion, in this order:
{names}. Each field is an object with two fields, in this order:
"explanation": two or three sentences that give your reasons;
"choice": exactly one of the labels of that criterion. They are:
{labels}"""

_TOP: Final = 20
"""How many alternatives to each token are asked for: the most that OpenAI gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The optional fields an endpoint accepts. It starts as OpenAI's own and only loses some."""

    json_schema: bool = True
    new_limit_name: bool = True
    temperature: bool = True
    logprobs: bool = True

    def body(self, model: str, question: JudgeQuestion) -> Mapping[str, Any]:
        """The JSON body of the request. Rules are the system's message, the material the user's."""
        limit = "max_completion_tokens" if self.new_limit_name else "max_tokens"
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": _rules(question.instructions, _form(question))},
                {"role": "user", "content": _sendable(question.material)},
            ],
            limit: question.max_output_tokens,
            "response_format": _schema(question) if self.json_schema else {"type": "json_object"},
        }
        if self.temperature:
            body["temperature"] = question.temperature or 0
        if question.weighed and self.logprobs:
            body |= {"logprobs": True, "top_logprobs": _TOP}
        return body

    def request(self, model: str, question: JudgeQuestion) -> bytes:
        """The body as it is sent: of one rubric's questions only the material is encoded anew."""
        before, after = _around(self, model, _rubric_of(question))
        return before + _ENCODER.encode(_sendable(question.material)).encode() + after

    def without(self, complaint: str, *, proven: bool) -> "Dialect | None":
        """A plainer dialect after a request was refused as invalid; None if nothing is to blame.

        `complaint` is what the endpoint said. One that names no field is put down to structured
        output, unless the dialect is `proven`: it has worked before, so the request is at fault.
        """
        if self.new_limit_name and "max_completion_tokens" in complaint:
            return replace(self, new_limit_name=False)
        if self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
        if self.logprobs and "logprobs" in complaint:
            return replace(self, logprobs=False)
        blamed = "response_format" in complaint or "json_schema" in complaint
        if self.json_schema and (blamed or not proven):
            return replace(self, json_schema=False)
        return None


def prompt_token_bound(body: Mapping[str, Any]) -> int:
    """A number of prompt tokens that the request cannot exceed.

    Every token of a byte-level or byte-fallback vocabulary stands for at least one byte, so the
    bytes of the request bound its tokens for any text, also for one made to cost the most. The
    body's own JSON pays for the chat template's marks. English needs about a quarter of the bound;
    only the reservation is that high, and it is settled with the reported usage.
    """
    return len(encoded(body))


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body as it is sent."""
    return json.dumps(body, ensure_ascii=False).encode()


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
_FIELDS: Final = tuple(each.name for each in fields(JudgeQuestion))
_MATERIAL: Final = _FIELDS.index("material")
_values: Final = attrgetter(*_FIELDS)


def _rubric_of(question: JudgeQuestion) -> tuple[Any, ...]:
    """The values of its fields without the material."""
    values = _values(question)
    return (*values[:_MATERIAL], "", *values[_MATERIAL + 1 :])


@lru_cache(maxsize=256)
def _around(dialect: Dialect, model: str, values: tuple[Any, ...]) -> tuple[bytes, bytes]:
    """What stands before and after the material in the body of a question of these values."""
    question = JudgeQuestion(**dict(zip(_FIELDS, values, strict=True)))
    body = dialect.body(model, question)
    rules, _ = body["messages"]
    rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
    return (
        f'{{"model": {_ENCODER.encode(model)}, "messages": [{_ENCODER.encode(rules)}, '
        '{"role": "user", "content": '.encode(),
        f"}}], {_ENCODER.encode(rest)[1:]}".encode(),
    )


@lru_cache(maxsize=256)
def _rules(instructions: str, form: str) -> str:
    return _sendable(f"{instructions}\n\n{form}")


def _sendable(text: str) -> str:
    """The text without the lone surrogates that no UTF-8 request can hold."""
    return text.encode("utf-8", "replace").decode()


def _form(question: JudgeQuestion) -> str:
    if not question.criteria:
        return FORM.format(labels=_listed(question.choices))
    return CRITERIA_FORM.format(
        names=_listed([name for name, _ in question.criteria]),
        labels="\n".join(
            f"{json.dumps(name)}: {_listed(labels)}" for name, labels in question.criteria
        ),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(name) for name in names)


def _schema(question: JudgeQuestion) -> Mapping[str, Any]:
    """A strict schema; the explanation comes first, so that the model reasons before it chooses."""
    schema = (
        _object({name: _answer(labels) for name, labels in question.criteria})
        if question.criteria
        else _answer(question.choices)
    )
    return {
        "type": "json_schema",
        "json_schema": {"name": "verdict", "strict": True, "schema": schema},
    }


def _answer(labels: Sequence[str]) -> Mapping[str, Any]:
    choice = {"type": "string", "enum": list(labels)}
    return _object({"explanation": {"type": "string"}, "choice": choice})


def _object(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

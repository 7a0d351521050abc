"""How a question is put to a chat endpoint, and what is left out when it does not know a field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tailwatch.protocols import JudgeQuestion

FORM = """\
Answer with one JSON object and nothing else. It has two fields, in this order:
"explanation": two or three sentences that give your reasons;
"choice": exactly one of these labels: {labels}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The optional fields an endpoint accepts. It starts as OpenAI's own and only loses some."""

    json_schema: bool = True
    new_limit_name: bool = True
    temperature: bool = True

    def body(self, model: str, question: JudgeQuestion) -> Mapping[str, Any]:
        """The JSON body of the request. Rules are the system's message, the material the user's."""
        limit = "max_completion_tokens" if self.new_limit_name else "max_tokens"
        form = FORM.format(labels=", ".join(json.dumps(label) for label in question.choices))
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": _sendable(f"{question.instructions}\n\n{form}")},
                {"role": "user", "content": _sendable(question.material)},
            ],
            limit: question.max_output_tokens,
            "response_format": (
                _schema(question.choices) if self.json_schema else {"type": "json_object"}
            ),
        }
        return body | {"temperature": 0} if self.temperature else body

    def without(self, complaint: str, *, proven: bool) -> "Dialect | None":
        """A plainer dialect after a request was refused as invalid; None if nothing is to blame.

        `complaint` is what the endpoint said. One that names no field is put down to structured
        output, unless the dialect is `proven`: it has worked before, so the request is at fault.
        """
        if self.new_limit_name and "max_completion_tokens" in complaint:
            return replace(self, new_limit_name=False)
        if self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
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


def _sendable(text: str) -> str:
    """The text without the lone surrogates that no UTF-8 request can hold."""
    return text.encode("utf-8", "replace").decode()


def _schema(choices: tuple[str, ...]) -> Mapping[str, Any]:
    """A strict schema; the explanation comes first, so that the model reasons before it chooses."""
    return {
        "type": "json_schema",
        "json_schema": {
            "name": "verdict",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {
                    "explanation": {"type": "string"},
                    "choice": {"type": "string", "enum": list(choices)},
                },
                "required": ["explanation", "choice"],
                "additionalProperties": False,
            },
        },
    }

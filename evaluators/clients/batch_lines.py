"""The lines of a batch: a question as it goes up, an answer as it comes down, and what it costs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from evaluators.clients.chat_endpoint import Response
from evaluators.clients.judge_dialect import Dialect, prompt_token_bound
from evaluators.clients.judge_errors import trouble_of_response
from evaluators.clients.judge_reply import Answer, Tokens, Trouble, read_reply, read_verdict
from evaluators.clients.openai_batch import CHAT
from evaluators.clients.prices import cost_usd
from tailwatch.outcome import FailureKind, Usage
from tailwatch.plan import PricePlan
from tailwatch.protocols import JudgeQuestion

_TEXTS: Final = ("instructions", "material")
_QUESTION: Final = TypeAdapter(JudgeQuestion)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTerms:
    """How questions are put in batches: to which model, in which form, at which price.

    `price` is the list price and `price_share` what a batch costs of it.
    """

    model: str
    dialect: Dialect
    price: PricePlan
    price_share: float

    def line(self, call_id: str, question: JudgeQuestion) -> tuple[bytes, float]:
        """The question as a line of a batch's file, and the most it can cost in USD."""
        body = self.dialect.body(self.model, question)
        line = {"custom_id": call_id, "method": "POST", "url": CHAT, "body": body}
        most = cost_usd(
            self.price,
            input_tokens=prompt_token_bound(body),
            output_tokens=question.max_output_tokens,
        )
        return json.dumps(line, ensure_ascii=False).encode() + b"\n", most * self.price_share

    def usage(self, tokens: Tokens) -> Usage:
        """The reported tokens and what they cost in a batch."""
        cost = cost_usd(
            self.price, input_tokens=tokens.prompt_tokens, output_tokens=tokens.completion_tokens
        )
        return Usage(
            cost_usd=cost * self.price_share,
            input_tokens=tokens.prompt_tokens,
            output_tokens=tokens.completion_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReply:
    """What came back for one call. `tokens` is None where none were reported."""

    call_id: str
    found: Answer | Trouble
    tokens: Tokens | None = None


def form_of(question: JudgeQuestion) -> dict[str, Any]:
    """What of a question is needed to read its answer, as JSON: all of it but the texts."""
    return {name: value for name, value in asdict(question).items() if name not in _TEXTS}


def question_of(form: Mapping[str, Any]) -> JudgeQuestion:
    """The question without its texts. Raises ValueError for what `form_of` did not make."""
    return _QUESTION.validate_python({**form, "instructions": "", "material": ""})


class _Response(BaseModel):
    status_code: int
    body: Any = None


class _Fault(BaseModel):
    code: str | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: _Fault | None = None


def read_line(line: bytes, questions: Mapping[str, JudgeQuestion], model: str) -> BatchReply | None:
    """The reply in a line of a results file; None for a line that no call can be told from.

    `questions` are those of each call; a reply to a call that is not among them is None too.
    """
    try:
        read = _Line.model_validate_json(line)
    except ValidationError:
        return None
    if read.custom_id not in questions:
        return None
    found, tokens = _found(read, questions[read.custom_id], model)
    return BatchReply(call_id=read.custom_id, found=found, tokens=tokens)


def never_asked(status: str, faults: Sequence[str]) -> Trouble:
    """Why a call of a batch that ended with that status was not made, and so costs nothing."""
    if status == "expired":
        return _not_made(FailureKind.TIMEOUT, "the batch expired before it was asked")
    if status == "cancelled":
        return _not_made(FailureKind.UNAVAILABLE, "the batch was cancelled before it was asked")
    code = f" ({', '.join(faults)})" if faults else ""
    return _not_made(FailureKind.BAD_REQUEST, f"the endpoint refused the whole batch{code}")


LOST_REPLY = Trouble(
    kind=FailureKind.BAD_OUTPUT,
    message="the batch ended without a readable reply to this question",
    retryable=True,
)
"""For a call that may have been made: it is booked at its worst case."""


def _found(
    read: _Line, question: JudgeQuestion, model: str
) -> tuple[Answer | Trouble, Tokens | None]:
    response = read.response
    if response is None:
        code = (read.error.code if read.error else None) or ""
        if code == "batch_expired":
            return never_asked("expired", ()), None
        if code in ("batch_cancelled", "batch_canceled"):
            return never_asked("cancelled", ()), None
        return _not_made(FailureKind.UNAVAILABLE, "the endpoint could not ask it"), None
    if response.status_code != 200:
        return _refused(response, model), None
    reply = read_reply(json.dumps(response.body).encode())
    if isinstance(reply, Trouble):
        return reply, None
    return read_verdict(reply, question), reply.usage


def _refused(response: _Response, model: str) -> Trouble:
    """The same words as for a call of its own that was answered so."""
    body = json.dumps(response.body).encode()
    return trouble_of_response(Response(status=response.status_code, headers={}, body=body), model)


def _not_made(kind: FailureKind, message: str) -> Trouble:
    return Trouble(kind=kind, message=message, retryable=True, free=True)

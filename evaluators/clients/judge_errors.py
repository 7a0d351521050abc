"""From refusals and broken calls to one typed reason each."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from evaluators.clients.chat_endpoint import Response, not_sent
from evaluators.clients.judge_reply import Trouble
from tailwatch.outcome import FailureKind

_PLAIN_CODE = re.compile(r"[a-z]+(?:_[a-z]+){0,6}")
"""What an endpoint's error code looks like; anything else could be a quotation or a secret."""

_CHARGED_PERHAPS = frozenset({408, 502, 504})
"""Answers of something between us and the model, which may have gone on and charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A response that is no reply, as much of it as matters. `said` may quote the trace."""

    status: int
    code: str | None
    said: str
    headers: Mapping[str, str]


def trouble_of_response(response: Response, model: str) -> Trouble:
    """Why a response with an error's status is no reply."""
    fault = _fault_in(response.body)
    refusal = Refusal(
        status=response.status,
        code=_text_or_none(fault.get("code")),
        said=f"{fault.get('param') or ''} {fault.get('message') or ''}",
        headers=response.headers,
    )
    return trouble_of_refusal(refusal, model)


def trouble_of_call(error: Exception) -> Trouble:
    """Why a call brought no response."""
    return trouble_without_reply(late=isinstance(error, TimeoutError), free=not_sent(error))


def trouble_without_reply(*, late: bool, free: bool) -> Trouble:
    """Why there is no response: it did not come in time, or the connection broke. `free` says that
    nothing can have reached the endpoint.
    """
    return _late(free=free) if late else _gone(free=free)


def _late(*, free: bool) -> Trouble:
    return Trouble(
        kind=FailureKind.TIMEOUT,
        message="the judge endpoint did not answer in time",
        retryable=True,
        free=free,
    )


def _gone(*, free: bool) -> Trouble:
    return Trouble(
        kind=FailureKind.UNAVAILABLE,
        message=f"the judge endpoint {'cannot be reached' if free else 'hung up'}",
        retryable=True,
        free=free,
    )


def trouble_of_refusal(refusal: Refusal, model: str) -> Trouble:
    status, code = refusal.status, refusal.code
    said = f"the judge endpoint answered {status}{_shown(code)}"
    free = status not in _CHARGED_PERHAPS
    if status in (401, 403):
        message = f"{said}: check the API key and what it may use"
        return Trouble(kind=FailureKind.AUTH, message=message, free=free)
    if status == 404 or status < 400:
        message = f"{said}: check its address and that it has the model {model!r}"
        return Trouble(kind=FailureKind.BAD_REQUEST, message=message, free=free)
    if code == "content_filter":
        return Trouble(kind=FailureKind.CONTENT_FILTERED, message=said, free=free)
    if status == 429:
        spent = code == "insufficient_quota"
        return Trouble(
            kind=FailureKind.RATE_LIMITED,
            message=f"{said}: {'its account has no credit' if spent else 'too many requests'}",
            retryable=not spent,
            retry_after_s=_retry_after_s(refusal.headers),
            free=free,
        )
    if status in (408, 409) or status >= 500:
        return Trouble(
            kind=FailureKind.TIMEOUT if status in (408, 504) else FailureKind.UNAVAILABLE,
            message=said,
            retryable=True,
            retry_after_s=_retry_after_s(refusal.headers),
            free=free,
        )
    # a question that is too long is so in every form: there is nothing to mend
    mendable = status in (400, 422) and code != "context_length_exceeded"
    return Trouble(
        kind=FailureKind.BAD_REQUEST,
        message=f"{said}: it does not accept the request",
        complaint=refusal.said if mendable else None,
        free=free,
    )


def _fault_in(body: bytes) -> Mapping[str, Any]:
    """The error object of OpenAI's form; for another form its text as the message."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    fault = content.get("error", content) if isinstance(content, dict) else None
    if isinstance(fault, dict) and "message" in fault:
        return fault
    return {"message": body[:4000].decode("utf-8", "replace")}


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shown(code: str | None) -> str:
    return f" ({code})" if code is not None and _PLAIN_CODE.fullmatch(code) else ""


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds after which it may be asked again: a number, or a date measured from the reply's
    own. OpenAI also says it in milliseconds, which is more exact.
    """
    exact = _seconds(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    if value is None or seconds is not None:
        return seconds
    until, sent = _http_date(value), _http_date(headers.get("date", ""))
    return None if until is None or sent is None else max(0.0, (until - sent).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(0.0, number) if number < float("inf") else None


def _http_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None

"""From the openai client's exceptions to one typed reason each."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx2
import openai

from evaluators.clients.judge_reply import Trouble
from tailwatch.outcome import FailureKind

_PLAIN_CODE = re.compile(r"[a-z]+(?:_[a-z]+){0,6}")
"""What an endpoint's error code looks like; anything else could be a quotation or a secret."""

_CHARGED_PERHAPS = frozenset({408, 502, 504})
"""Answers of something between us and the model, which may have gone on and charged."""

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def trouble_of(error: openai.OpenAIError | TimeoutError, model: str) -> Trouble:
    """Why a call failed, in our own words: an endpoint's may quote the trace or the key."""
    free = isinstance(error.__cause__, _NOT_SENT)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return Trouble(
            kind=FailureKind.TIMEOUT,
            message="the judge endpoint did not answer in time",
            retryable=True,
            free=free,
        )
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, model)
    if isinstance(error, openai.APIConnectionError):
        return Trouble(
            kind=FailureKind.UNAVAILABLE,
            message=f"the judge endpoint {'cannot be reached' if free else 'hung up'}",
            retryable=True,
            free=free,
        )
    return Trouble(
        kind=FailureKind.UNAVAILABLE,
        message=f"the judge's client gave up: {type(error).__name__}",
        retryable=True,
    )


def _of_status(error: openai.APIStatusError, model: str) -> Trouble:
    status = error.status_code
    said = f"the judge endpoint answered {status}{_code(error)}"
    free = status not in _CHARGED_PERHAPS
    if status in (401, 403):
        message = f"{said}: check the API key and what it may use"
        return Trouble(kind=FailureKind.AUTH, message=message, free=free)
    if status == 404:
        message = f"{said}: check its address and that it has the model {model!r}"
        return Trouble(kind=FailureKind.BAD_REQUEST, message=message, free=free)
    if error.code == "content_filter":
        return Trouble(kind=FailureKind.CONTENT_FILTERED, message=said, free=free)
    if status == 429:
        spent = error.code == "insufficient_quota"
        return Trouble(
            kind=FailureKind.RATE_LIMITED,
            message=f"{said}: {'its account has no credit' if spent else 'too many requests'}",
            retryable=not spent,
            retry_after_s=_retry_after_s(error.response.headers),
            free=free,
        )
    if status in (408, 409) or status >= 500:
        return Trouble(
            kind=FailureKind.TIMEOUT if status in (408, 504) else FailureKind.UNAVAILABLE,
            message=said,
            retryable=True,
            retry_after_s=_retry_after_s(error.response.headers),
            free=free,
        )
    return Trouble(
        kind=FailureKind.BAD_REQUEST,
        message=f"{said}: it does not accept the request",
        complaint=_complaint(error) if status in (400, 422) else None,
        free=free,
    )


def _complaint(error: openai.APIStatusError) -> str | None:
    """What the endpoint says is wrong; None when it names a fault that no other form can mend."""
    if error.code == "context_length_exceeded":
        return None
    return f"{error.param or ''} {error.message}"


def _code(error: openai.APIStatusError) -> str:
    plain = error.code is not None and _PLAIN_CODE.fullmatch(error.code)
    return f" ({error.code})" if plain else ""


def _retry_after_s(headers: httpx2.Headers) -> float | None:
    """The seconds a `Retry-After` asks for: a number, or a date measured from the reply's own."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        until, sent = _http_date(value), _http_date(headers.get("date", ""))
    return None if until is None or sent is None else max(0.0, (until - sent).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None

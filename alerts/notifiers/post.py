"""Posting JSON over HTTP, with every failure as one of two errors and no secret in any of them."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx

from tailwatch import __version__
from tailwatch.errors import NotifierError, NotifierUnavailableError
from tailwatch.printable import printable

TIMEOUT_S = 10.0
"""For connecting, for each read and for each write."""

_REFUSED = (400, 413, 422)
"""The message itself is wrong; anything else may be mended at the other end or in the plan."""

_ANSWER_CHARS = 120
_MASK = "***"

_sending = ContextVar("tailwatch_sending", default=False)


async def post(
    url: str,
    body: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> str:
    """Posts the body and returns the answer's status and its first words.

    `secrets` and the address are masked where the answer repeats them. Redirects are not followed:
    they could carry the secrets elsewhere. Raises NotifierError when the message is refused (400,
    413, 422) and NotifierUnavailableError for every other failure.
    """
    sent = {
        "User-Agent": f"tailwatch/{__version__}",
        "Content-Type": "application/json",
        **(headers or {}),
    }
    content = json.dumps(body, ensure_ascii=True).encode("ascii")
    try:
        with unlogged():
            async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
                answer = await client.post(url, content=content, headers=sent)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        # Only the kind of the error is told: its text may hold the address.
        raise NotifierUnavailableError(f"no answer: {type(error).__name__}") from None
    hidden = [url, answer.request.url.raw_path.decode("ascii"), *secrets]
    said = f"HTTP {answer.status_code} {_first_words(answer, hidden)}".strip()
    if answer.is_success:
        return said
    if answer.status_code in _REFUSED:
        raise NotifierError(f"refused: {said}")
    raise NotifierUnavailableError(f"not taken: {said}", _retry_after_s(answer))


@contextmanager
def unlogged() -> Iterator[None]:
    """Keeps HTTP libraries from logging the address of the request made inside, in this task."""
    for name in ("httpx", "apprise", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        if _not_while_sending not in logger.filters:
            logger.addFilter(_not_while_sending)
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)


def _not_while_sending(_: logging.LogRecord) -> bool:
    return not _sending.get()


def _first_words(answer: httpx.Response, secrets: Sequence[str]) -> str:
    text = answer.text[:10_000]
    for secret in secrets:
        if len(secret) > 1:  # the path "/" hides nothing
            text = text.replace(secret, _MASK)
    return printable(text, _ANSWER_CHARS)


def _retry_after_s(answer: httpx.Response) -> float | None:
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None

"""The batches of an OpenAI-compatible endpoint: files up, a batch made of one, results down."""

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import IO, TYPE_CHECKING, Final

import httpx2

from evaluators.clients.deferred import Deferred
from evaluators.clients.judge_errors import Refusal, trouble_of_refusal, trouble_without_reply
from evaluators.clients.judge_reply import Trouble
from evaluators.clients.prices import OPENAI_URL, shown
from tailwatch.errors import BatchError, BatchUnavailableError, ConfigurationError

if TYPE_CHECKING:
    import openai
    from openai.types import Batch
else:
    openai = Deferred("openai")

MOST_LINES: Final = 50_000
MOST_BYTES: Final = 200_000_000
"""What one file may hold, by the provider's documentation."""

CHAT: Final = "/v1/chat/completions"

_OUR_KEY = "tailwatch_batch"
_PLAIN_CODE = re.compile(r"[a-z]+(?:_[a-z]+){0,6}")
_UPLOAD_S = 900.0
_HAS_NO_BATCHES = (404, 405, 501)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBatch:
    """A batch as the provider tells of it; `faults` are the codes of what it found wrong."""

    provider_id: str
    status: str
    file_id: str
    output_file_id: str | None
    error_file_id: str | None
    completed: int | None
    failed: int | None
    created_at: datetime
    expires_at: datetime | None
    faults: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("completed", "failed", "expired", "cancelled")


class BatchEndpoint:
    """Talks about files and batches. Each method may raise BatchUnavailableError (worth another
    try) or BatchError; neither quotes what the endpoint said. Close it.
    """

    def __init__(self, client: "openai.AsyncOpenAI", *, url: str) -> None:
        self.url = shown(url)
        self._client = client
        # what makes something must not be tried again by itself: it may have been made
        self._once = client.with_options(max_retries=0)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def check(self) -> None:
        """Raises ConfigurationError, saying what to do, for an endpoint without batches."""
        try:
            await self._client.get("/batches?limit=1", cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            if error.status_code in _HAS_NO_BATCHES:
                raise ConfigurationError(
                    f"the judge endpoint {self.url} has no batches (it answered "
                    f"{error.status_code} to /batches); run without --batch, or with --no-batch "
                    "where judge.batch_over chose it"
                ) from None
            raise self._error("be asked for its batches", error) from None
        except openai.OpenAIError as error:
            raise self._error("be asked for its batches", error) from None

    async def upload(self, name: str, content: IO[bytes]) -> str:
        """The id of a new file with that name. It is read from its start."""
        content.seek(0)
        with self._told("take the questions"):
            made = await self._once.files.create(
                file=(name, content, "application/jsonl"), purpose="batch", timeout=_UPLOAD_S
            )
        return made.id

    async def files_named(self, name: str) -> list[str]:
        """The ids of the files for batches that have that name."""
        with self._told("list its files"):
            return [
                file.id
                async for file in self._client.files.list(purpose="batch")
                if file.filename == name
            ]

    async def create(self, file_id: str, batch_key: str) -> ProviderBatch:
        """Makes a batch of the file, marked with our key, so that `find` sees it."""
        with self._told("make a batch"):
            return _provider_batch(
                await self._once.batches.create(
                    input_file_id=file_id,
                    endpoint=CHAT,
                    completion_window="24h",
                    metadata={_OUR_KEY: batch_key},
                    extra_headers={"Idempotency-Key": batch_key},
                )
            )

    async def find(self, batch_key: str) -> ProviderBatch | None:
        """The batch that was marked with our key."""
        with self._told("list its batches"):
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(_OUR_KEY) == batch_key:
                    return _provider_batch(batch)
        return None

    async def look(self, provider_id: str) -> ProviderBatch | None:
        """How far the batch is; None where the endpoint knows of none with that id."""
        try:
            return _provider_batch(await self._client.batches.retrieve(provider_id))
        except openai.NotFoundError:
            return None
        except openai.OpenAIError as error:
            raise self._error("say how far the batch is", error) from None

    async def cancel(self, provider_id: str) -> None:
        """Asks for its end; nothing if it has ended already, or is not known."""
        try:
            await self._client.batches.cancel(provider_id)
        except (openai.ConflictError, openai.NotFoundError):
            return
        except openai.OpenAIError as error:
            raise self._error("cancel the batch", error) from None

    async def lines(self, file_id: str) -> AsyncIterator[bytes]:
        """The lines of a file, as they arrive. Raises LookupError when it is gone."""
        with self._told("hand out the results", gone=True):
            async with self._client.files.with_streaming_response.content(file_id) as response:
                rest = b""
                async for part in response.iter_bytes():
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        yield line
                yield rest

    async def delete_file(self, file_id: str) -> None:
        """Deletes a file; nothing if it is gone."""
        try:
            await self._client.files.delete(file_id)
        except openai.NotFoundError:
            return
        except openai.OpenAIError as error:
            raise self._error("delete the file", error) from None

    @contextmanager
    def _told(self, what: str, *, gone: bool = False) -> Iterator[None]:
        try:
            yield
        except openai.NotFoundError as error:
            raise (LookupError() if gone else self._error(what, error)) from None
        except openai.OpenAIError as error:
            raise self._error(what, error) from None
        except httpx2.HTTPError:
            raise BatchUnavailableError(
                f"the judge endpoint {self.url} could not {what}: it hung up"
            ) from None

    def _error(self, what: str, error: "openai.OpenAIError") -> BatchError:
        trouble = _trouble_of(error)
        kind = BatchUnavailableError if trouble.retryable else BatchError
        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        why = "it has no such file or batch" if status == 404 else trouble.message
        return kind(f"the judge endpoint {self.url} could not {what}: {why}")


def _trouble_of(error: "openai.OpenAIError") -> Trouble:
    """Why a call failed, in our own words: an endpoint's may quote the trace or the key."""
    if isinstance(error, openai.APIStatusError):
        refusal = Refusal(
            status=error.status_code,
            code=error.code,
            said=f"{error.param or ''} {error.message}",
            headers=error.response.headers,
        )
        return trouble_of_refusal(refusal, "")
    sent_nothing = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
    return trouble_without_reply(
        late=isinstance(error, openai.APITimeoutError),
        free=isinstance(error.__cause__, sent_nothing),
    )


def make_batch_endpoint(*, url: str | None, api_key: str | None) -> BatchEndpoint:
    """The batches at `url`, or at OpenAI; what only reads is tried three times."""
    address = url or OPENAI_URL
    client = openai.AsyncOpenAI(
        base_url=address,
        api_key=(api_key or "").strip() or "none",
        max_retries=2,
        timeout=httpx2.Timeout(120, connect=5),
        http_client=openai.DefaultAsyncHttpxClient(verify=_certificates()),
    )
    return BatchEndpoint(client, url=address)


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once: it takes longer than a request."""
    return httpx2.create_ssl_context()


def _provider_batch(batch: "Batch") -> ProviderBatch:
    counts, faults = batch.request_counts, (batch.errors.data or []) if batch.errors else []
    return ProviderBatch(
        provider_id=batch.id,
        status=batch.status,
        file_id=batch.input_file_id,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        completed=counts.completed if counts else None,
        failed=counts.failed if counts else None,
        created_at=_moment(batch.created_at),
        expires_at=_moment(batch.expires_at) if batch.expires_at else None,
        faults=tuple(sorted({f.code for f in faults if f.code and _PLAIN_CODE.fullmatch(f.code)})),
    )


def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)

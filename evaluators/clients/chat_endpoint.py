"""A chat endpoint over HTTP: a request's bytes go out, the response's come back.

Directly over aiohttp: the openai client builds, checks and wraps every request and reply, which
costs several times what the call itself does, and none of that is used here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from evaluators.clients.deferred import Deferred

if TYPE_CHECKING:
    import aiohttp
    import httpx2
else:
    aiohttp, httpx2 = Deferred("aiohttp"), Deferred("httpx2")

_CONNECT_S: Final = 5.0
_IDLE_S: Final = 4.0
"""How long an idle connection is kept: less than common servers do, so that hardly any is used at
the moment it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What an endpoint answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ChatEndpoint:
    """Posts to `<url>/chat/completions`, over connections that are kept open between calls.

    Redirects are not followed: text must not leave for another address than the configured one.
    """

    def __init__(self, url: str, *, key: str, timeout_s: float) -> None:
        self._address = f"{url.rstrip('/')}/chat/completions"
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "tailwatch",
        }
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> Response:
        """The whole response. Raises TimeoutError, or aiohttp.ClientError when there is none."""
        session = self._session or self._opened()
        async with session.post(self._address, data=body, allow_redirects=False) as response:
            content = await response.read()
        return Response(status=response.status, headers=response.headers, body=content)

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> "aiohttp.ClientSession":
        """The session, opened by the first call: it belongs to the event loop that runs then."""
        secure = self._address.startswith("https://")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the gate bounds the calls
                keepalive_timeout=_IDLE_S,
                ttl_dns_cache=60,
                # the certificates of the package certifi: not every system has its own
                ssl=httpx2.create_ssl_context() if secure else True,
            ),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=self._timeout_s, sock_connect=min(_CONNECT_S, self._timeout_s)
            ),
            proxy=proxy_for(self._address),
        )
        return self._session


def proxy_for(address: str) -> str | None:
    """The proxy that the system or the environment names for an address, as for other programs.

    aiohttp's own look-up would also send passwords from a .netrc file.
    """
    parts = urlsplit(address)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def not_sent(error: BaseException) -> bool:
    """Whether the call failed before any of it reached the endpoint."""
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def call_errors() -> tuple[type[Exception], ...]:
    """What `post` may raise."""
    return (aiohttp.ClientError, asyncio.TimeoutError, OSError)

"""HTTP requests to storage hosts, anonymous.

No key, cookie or account is sent. Redirects are followed here, and each host is checked before a connection is opened
to the very address that was checked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.http import parse_retry_after
from eternal_tui.core.network import Network, NetworkSetupError, Route, connection_failure_text
from eternal_tui.media.download.url_policy import Resolver, check_host, is_allowed, resolve_host, validate_url
from eternal_tui.media.errors import BrokenFile, LinkExpired, LinkRejected, StorageRejected, StorageUnreachable
from eternal_tui.media.limits import DownloadLimits, LinkPolicy

if TYPE_CHECKING:
    import httpx


_EXPIRED_STATUSES = frozenset({400, 401, 403, 404, 410})
"""S3, CloudFront and Azure answer 403 to an expired signature, Google's storage 400."""
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_UNPACKED_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_OTHER_ENCODINGS = frozenset({"br", "zstd", "compress"})
_CONTENT_RANGE_PATTERN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class ContentRange(msgspec.Struct, frozen=True):
    """The content of a response: bytes from `start`, of `total` (None if unknown), a strong `etag` or none.

    `coding` is the content coding its body comes in, "" for none.
    """

    start: int
    total: int | None
    etag: str
    coding: str = ""


def check_status(response: httpx.Response, now: float, *, resuming: bool) -> None:
    """Pass an answer that has the file, and 416 to a request for its rest; `now` in epoch seconds.

    Raises LinkExpired, StorageUnreachable or StorageRejected for every other status.
    """
    status = response.status_code
    # 203 is a 200 that a proxy has touched; an unrequested 206 may hold the whole file all the same.
    if status in (200, 203, 206) or (resuming and status == 416):
        return
    if status in _EXPIRED_STATUSES:
        raise LinkExpired(status)
    if status == 407:
        raise StorageUnreachable("the proxy asks for a user name and password (HTTP 407)")
    if status >= 500 or status in _RETRYABLE_STATUSES:
        wait = parse_retry_after(response.headers.get("retry-after"), now)
        raise StorageUnreachable(f"the storage answered HTTP {status}", retry_after=wait)
    raise StorageRejected(status)


def redirect_target(current_url: httpx.URL, response: httpx.Response, policy: LinkPolicy) -> httpx.URL:
    """Return where a redirect leads; raises LinkRejected for https to http and what is no link."""
    import httpx

    try:
        there = current_url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError) as error:
        raise LinkRejected("it redirects to something that is no address") from error
    target = validate_url(str(there), policy)
    if current_url.scheme == "https" and target.scheme == "http":
        raise LinkRejected("it redirects from https to plain http")
    return target


def parse_content_range(response: httpx.Response, received_bytes: int) -> ContentRange:
    """Describe the response to a request for everything after `received_bytes` bytes; raises BrokenFile."""
    headers = response.headers
    encodings = [word.strip().lower() for word in headers.get("content-encoding", "").split(",")]
    encodings = [word for word in encodings if word not in ("", "identity")]
    coding = next((each for each in encodings if each in _UNPACKED_ENCODINGS), "")
    if (other := _OTHER_ENCODINGS.intersection(encodings)) or (coding and len(encodings) > 1):
        raise BrokenFile(f"it came packed as {min(other, default=', '.join(encodings))}, which is not unpacked here")
    etag = headers.get("etag", "")
    strong = etag if etag.startswith('"') and etag.isascii() and len(etag) <= 256 else ""
    if response.status_code == 206:
        found = _CONTENT_RANGE_PATTERN.fullmatch(headers.get("content-range", ""))
        if found is None or int(found[1]) != received_bytes:
            raise BrokenFile("the storage sent a part that was not asked for")
        total = None if found[3] == "*" else int(found[3])
        if not received_bytes and total is not None and int(found[2]) + 1 != total:
            raise BrokenFile("the storage sent only a part of it")
        return ContentRange(received_bytes, total, strong)
    if coding:
        # Of a packed body neither the length nor a later range is that of the file.
        return ContentRange(0, None, "", coding)
    length = headers.get("content-length", "")
    total = int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None
    return ContentRange(0, total, strong if "bytes" in headers.get("accept-ranges", "").lower() else "")


_MAX_ADDRESSES = 3


class StorageClient:
    """A way to storage hosts, within `policy`. `resolve` looks names up where no proxy does."""

    def __init__(
        self,
        limits: DownloadLimits,
        policy: LinkPolicy,
        network: Network,
        *,
        resolve: Resolver = resolve_host,
        now: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._policy = policy
        self._network = network
        self._resolve = resolve
        self._now = now
        self._clients: dict[tuple[str, str], httpx.AsyncClient] = {}
        self._making_client = asyncio.Lock()
        self._is_closed = False

    async def close(self) -> None:
        """Close every connection; later requests raise StorageUnreachable."""
        self._is_closed = True
        while self._clients:
            await self._clients.popitem()[1].aclose()

    @asynccontextmanager
    async def get(self, url: str, *, received_bytes: int = 0, etag: str = "") -> AsyncIterator[httpx.Response]:
        """Yield the answer that has the file, or its rest after `received_bytes` bytes of the version `etag`.

        Raises LinkExpired, LinkRejected or StorageUnreachable.
        """
        here = validate_url(url, self._policy)
        for _ in range(self._limits.max_redirects + 1):
            response = await self._send(here, received_bytes, etag)
            try:
                if not response.has_redirect_location:
                    check_status(response, self._now(), resuming=received_bytes > 0)
                    yield response
                    return
                here = redirect_target(here, response, self._policy)
            finally:
                await response.aclose()
        raise LinkRejected(f"it redirects more than {self._limits.max_redirects} times")

    async def _send(self, url: httpx.URL, received_bytes: int, etag: str) -> httpx.Response:
        import httpx

        literal = check_host(url.host, self._policy)
        try:
            route = self._network.route(str(url))
            addresses = [literal] if literal or route.proxy is not None else await self._resolve_checked(url)
            client = await self._client_for(url, route)
        except NetworkSetupError as error:
            raise StorageUnreachable(str(error).rstrip(".")) from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return await client.send(self._build_request(url, address, received_bytes, etag), stream=True)
            except (httpx.ConnectError, httpx.ProxyError) as error:
                failure = error
            except httpx.TimeoutException as late:
                raise StorageUnreachable("the storage did not answer in time") from late
            except (httpx.TransportError, httpx.InvalidURL, ValueError) as broken:
                raise StorageUnreachable("the storage did not answer properly") from broken
        assert failure is not None
        # By the name of the storage: a link's host is no secret, its path and query are.
        raise StorageUnreachable(connection_failure_text(failure, "the storage", route).rstrip(".")) from failure

    async def _client_for(self, url: httpx.URL, route: Route) -> httpx.AsyncClient:
        import httpx

        way = (url.scheme, route.address)
        # Pooled connections are matched by address alone, and one address may serve several certificates.
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        async with self._making_client:
            if way not in self._clients and not self._is_closed:
                self._clients[way] = await asyncio.to_thread(self._network.make_client, str(url), limits=limits)
        if self._is_closed:
            raise StorageUnreachable("shutting down")
        return self._clients[way]

    async def _resolve_checked(self, url: httpx.URL) -> list[str | None]:
        """Return the addresses to connect to, each checked."""
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            raise StorageUnreachable("the storage's name was not found") from error
        if not all(is_allowed(address, self._policy) for address in found):
            raise LinkRejected("it leads into a private network")
        return list(found[:_MAX_ADDRESSES])

    def _build_request(self, url: httpx.URL, address: str | None, received_bytes: int, etag: str) -> httpx.Request:
        import httpx

        limits = self._limits
        headers = {"Host": url.netloc.decode("ascii"), "Accept": "*/*", "Accept-Encoding": "identity"}
        headers["User-Agent"] = "eternal-tui"
        if received_bytes:
            headers |= {"Range": f"bytes={received_bytes}-", "If-Range": etag}
        timeout = {"connect": limits.connect_seconds, "pool": limits.overall_seconds}
        timeout |= {"read": limits.stall_seconds, "write": limits.stall_seconds}
        target = url if address is None else url.copy_with(host=address)
        return httpx.Request("GET", target, headers=headers, extensions={"timeout": timeout, "sni_hostname": url.host})

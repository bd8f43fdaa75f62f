"""Asking a storage host for a file, as nobody in particular.

Nothing of ours goes with the request, neither key nor cookie nor account; every redirect is followed by hand,
and every host is checked before a connection is opened to the very address that was checked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.retry_after import parse_retry_after
from eternal_tui.media.download.url_policy import (
    Resolver,
    is_local_name,
    is_public,
    parse_ip_literal,
    proxy_for,
    validate_url,
)
from eternal_tui.media.errors import (
    BrokenFile,
    LinkExpired,
    LinkRejected,
    StorageRejected,
    StorageUnreachable,
    WrongFileType,
)
from eternal_tui.media.limits import DownloadLimits

if TYPE_CHECKING:
    import httpx


_EXPIRED_STATUSES = frozenset({400, 401, 403, 404, 410})
"""S3, CloudFront and Azure answer 403 to an expired signature, Google's storage 400."""
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_COMPRESSED_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress"})
_CONTENT_RANGE_PATTERN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class ContentRange(msgspec.Struct, frozen=True):
    """What an answer brings: bytes from `start`, `total` in all (None if unsaid), a strong `etag` or none."""

    start: int
    total: int | None
    etag: str


def check_status(response: httpx.Response, now: float, *, resuming: bool) -> None:
    """Pass an answer that has the file, and 416 to a request for its rest; `now` in epoch seconds.

    Raises LinkExpired, StorageUnreachable or StorageRejected for every other status.
    """
    status = response.status_code
    if status == 200 or (resuming and status in (206, 416)):
        return
    if status in _EXPIRED_STATUSES:
        raise LinkExpired(status)
    if status >= 500 or status in _RETRYABLE_STATUSES:
        wait = parse_retry_after(response.headers.get("retry-after"), now)
        raise StorageUnreachable(f"the storage answered HTTP {status}", retry_after=wait)
    raise StorageRejected(status)


def redirect_target(current_url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Return where a redirect leads; raises LinkRejected for https to http and what is no link."""
    import httpx

    try:
        there = current_url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError) as error:
        raise LinkRejected("it redirects to something that is no address") from error
    target = validate_url(str(there))
    if current_url.scheme == "https" and target.scheme == "http":
        raise LinkRejected("it redirects from https to plain http")
    return target


def parse_content_range(response: httpx.Response, received_bytes: int) -> ContentRange:
    """Say what this answer to a request for everything after `received_bytes` bytes brings; raises BrokenFile."""
    headers = response.headers
    encodings = {word.strip().lower() for word in headers.get("content-encoding", "").split(",")}
    if packed := encodings & _COMPRESSED_ENCODINGS:
        raise WrongFileType(f"packed as {min(packed)}, which was not asked for and is not unpacked here")
    etag = headers.get("etag", "")
    strong = etag if etag.startswith('"') and etag.isascii() and len(etag) <= 256 else ""
    if response.status_code == 206:
        found = _CONTENT_RANGE_PATTERN.fullmatch(headers.get("content-range", ""))
        if found is None or int(found[1]) != received_bytes or not received_bytes:
            raise BrokenFile("the storage sent a part that was not asked for")
        return ContentRange(received_bytes, None if found[3] == "*" else int(found[3]), strong)
    length = headers.get("content-length", "")
    total = int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None
    return ContentRange(0, total, strong if "bytes" in headers.get("accept-ranges", "").lower() else "")


ClientFactory = Callable[[str | None], "httpx.AsyncClient"]
"""Makes a client for one proxy address, or None for direct connections."""

_MAX_ADDRESSES = 3


def anonymous_client(proxy: str | None) -> httpx.AsyncClient:
    """Return a client that adds nothing of its own and keeps no connection for the next request."""
    import httpx

    # A kept connection is found again by address alone, and one address may serve several certificates.
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=0)
    context = httpx.create_ssl_context()
    try:
        return httpx.AsyncClient(verify=context, proxy=proxy, limits=limits, trust_env=False)
    except httpx.InvalidURL:
        # Its own words would quote the proxy's password.
        raise ValueError("the proxy's address cannot be read") from None


class StorageClient:
    """A way to storage hosts. Where the service is `public`, no private address is gone to."""

    def __init__(
        self,
        limits: DownloadLimits,
        *,
        public: bool,
        client_factory: ClientFactory,
        resolve: Resolver,
        environ: Mapping[str, str],
        now: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._public = public
        self._client_factory = client_factory
        self._resolve = resolve
        self._environ = environ
        self._now = now
        self._clients: dict[str | None, asyncio.Task[httpx.AsyncClient]] = {}

    async def close(self) -> None:
        """Close every connection."""
        while self._clients:
            _, task = self._clients.popitem()
            await (await task).aclose()

    @asynccontextmanager
    async def get(self, url: str, *, received_bytes: int = 0, etag: str = "") -> AsyncIterator[httpx.Response]:
        """Yield the answer that has the file, or its rest after `received_bytes` bytes of the version `etag`.

        Raises LinkExpired, LinkRejected or StorageUnreachable.
        """
        here = validate_url(url)
        for _ in range(self._limits.max_redirects + 1):
            response = await self._send(here, received_bytes, etag)
            try:
                if not response.has_redirect_location:
                    check_status(response, self._now(), resuming=received_bytes > 0)
                    yield response
                    return
                here = redirect_target(here, response)
            finally:
                await response.aclose()
        raise LinkRejected(f"it redirects more than {self._limits.max_redirects} times")

    async def _send(self, url: httpx.URL, received_bytes: int, etag: str) -> httpx.Response:
        import httpx

        proxy = proxy_for(url.scheme, url.host, self._environ)
        addresses = await self._checked_addresses(url, proxy)
        client = await self._client_for(proxy)
        error: Exception | None = None
        for address in addresses:
            try:
                return await client.send(self._build_request(url, address, received_bytes, etag), stream=True)
            except httpx.ConnectError as refused:
                error = refused
            except httpx.TimeoutException as late:
                raise StorageUnreachable("the storage did not answer in time") from late
            except (httpx.TransportError, httpx.InvalidURL, ValueError) as broken:
                raise StorageUnreachable("the storage did not answer properly") from broken
        raise StorageUnreachable("no connection to the storage") from error

    async def _client_for(self, proxy: str | None) -> httpx.AsyncClient:
        if proxy not in self._clients:
            # In a thread: reading the certificates takes tens of milliseconds.
            self._clients[proxy] = asyncio.create_task(asyncio.to_thread(self._client_factory, proxy))
        try:
            return await asyncio.shield(self._clients[proxy])
        except (ImportError, ValueError) as error:
            self._clients.pop(proxy, None)
            raise StorageUnreachable("the environment names a proxy of a kind that cannot be used") from error

    async def _checked_addresses(self, url: httpx.URL, proxy: str | None) -> list[str | None]:
        """Return the checked addresses to connect to; None where a proxy does the looking up."""
        literal = parse_ip_literal(url.host)
        if self._public and (is_local_name(url.host) or (literal is not None and not is_public(literal))):
            raise LinkRejected("it leads into a private network")
        if literal is not None:
            return [literal]
        if proxy is not None:
            return [None]
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            raise StorageUnreachable("the storage's name was not found") from error
        if self._public and not all(is_public(address) for address in found):
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

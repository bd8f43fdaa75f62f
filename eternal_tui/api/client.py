"""The HTTP client of the API: four calls, one host, and a key that goes nowhere else."""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from eternal_tui import __version__
from eternal_tui.api import errors, fields, parsing
from eternal_tui.api.models import (
    Character,
    CharacterPage,
    CreateCharacterResponse,
    GenerateRequest,
    PollResponse,
    SubmitResponse,
)
from eternal_tui.config.credentials import key_header_advice
from eternal_tui.core.clock import awake_timeout
from eternal_tui.core.http import BodyTooLarge, BoundedDecompressor, UnknownContentEncoding
from eternal_tui.core.logging import REDACTED
from eternal_tui.core.network import DIRECT, Network, NetworkSetupError, Route, connection_failure_text, is_loopback
from eternal_tui.core.secret import Secret, hide

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_Parse = Callable[[bytes], T]

USER_AGENT = f"eternal-tui/{__version__}"

PAGE_SIZE = 50
"""Characters a page, the service's default."""

KEEPALIVE_SECONDS = 10.0
"""Seconds an idle connection for polls stays open; visible jobs are polled more often. httpcore checks each idle
connection twice a request, and those opened in parallel at the start are hardly used afterwards."""

MAX_PAGES = 400
"""Pages requested in one listing: 20,000 characters."""


MIN_REDACTED_KEY_CHARS = 8
"""Shortest key that is redacted from responses; shorter text would match by chance."""

MAX_LIST_SECONDS = 120.0
"""Seconds a whole list of characters may take, however many pages it has and however quickly they come."""


PAGE_RETRY_SECONDS = (0.3, 1.0)
"""Seconds before each further try of a page of characters behind the first."""


MAX_BODY_BYTES = 1024 * 1024
"""Bytes of a response, before and after decompression; parsing the worst one takes 0.2 s on the event loop.

A page of 50 characters is about 50 kB, at most 300 kB.
"""

MAX_ERROR_BODY_BYTES = 64 * 1024
"""Bytes read of an error response."""

UNSENT_ERROR_NAMES = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
)
"""Errors of httpx that are raised only before the first byte of a request is written."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds a call may take, for each step and in total.

    A paid POST has longer timeouts than a poll: abandoning it leaves its charge unknown. The deadlines end responses
    that arrive a few bytes at a time.
    """

    connect: float = 10.0
    read_post: float = 60.0
    read_get: float = 20.0
    write: float = 30.0
    pool: float = 10.0
    deadline_post: float = 120.0
    deadline_get: float = 40.0


class ApiClient:
    """Talks to one service at `base_url`, with `key` in the header named `header`.

    A paid POST is sent at most once, over a connection of its own; polls share a small pool. Redirects are never
    followed, cookies never stored, certificates always checked. `network` makes the connections, by default from this
    process's environment. Calls raise only `errors.ApiError`.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret | None,
        *,
        header: str = "x-api-key",
        timeouts: Timeouts | None = None,
        network: Network | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(self._base_url).hostname or ""
        self._key = key
        self._header = header
        self._timeouts = timeouts or Timeouts()
        self._network = network or Network(os.environ)
        self._now = now
        self._clients: tuple[httpx.AsyncClient, httpx.AsyncClient] | None = None
        self._open_lock = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    async def submit(self, request: GenerateRequest) -> SubmitResponse:
        """Send one paid generation, once."""
        return await self._post("/v2/base/generate", request.body(), parsing.parse_submit)

    async def poll(self, request_id: str) -> PollResponse:
        """Poll a request once; free. `outcome` is "alive", "succeeded" or "failed", `progress` in whole percent."""
        path = f"/v2/poll-result/{encode_path_segment(request_id)}"
        return await self._call("GET", path, partial(parsing.parse_poll, expected_id=request_id))

    async def get_character_page(self, page: int = 1, limit: int = PAGE_SIZE) -> list[Character]:
        """Return one page of the public list, counted from 1; sent without a key."""
        return list((await self._get_page(page, limit)).characters)

    async def _get_page(self, page: int, limit: int) -> CharacterPage:
        path = f"/v2/characters?page={page:d}&limit={limit:d}"
        return await self._call("GET", path, parsing.parse_characters, with_key=False)

    async def list_characters(self, limit: int = PAGE_SIZE) -> AsyncIterator[Character]:
        """Yield every public character once, page by page; again where a later row makes an adult a minor.

        The list ends with a page that is short or empty or repeats others, as no total is given. Raises ResponseLost
        after MAX_PAGES pages or MAX_LIST_SECONDS seconds.
        """
        seen: dict[str, bool] = {}
        deadline = time.monotonic() + MAX_LIST_SECONDS
        for page in range(1, MAX_PAGES + 1):
            found = await (self._get_later_page(page, limit) if page > 1 else self._get_page(1, limit))
            known = len(seen)
            for character in found.characters:
                if seen.get(character.id, True) and character.is_adult is not seen.get(character.id):
                    seen[character.id] = character.is_adult
                    yield character
            if found.row_count < limit or len(seen) == known:
                return
            if time.monotonic() > deadline:
                break
        raise errors.ResponseLost("The character list does not end; stopped reading it.")

    async def _get_later_page(self, page: int, limit: int) -> CharacterPage:
        """Fetch a page, with retries: without it, a character may be missing from the list though it exists."""
        for seconds in PAGE_RETRY_SECONDS:
            try:
                return await self._get_page(page, limit)
            except (errors.OutcomeUnknown, errors.RequestNotSent):
                await asyncio.sleep(seconds)
        return await self._get_page(page, limit)

    async def create_character(self, prompt: str) -> CreateCharacterResponse:
        """Ask for a new character, once; costs credits. Experimental: the service's body is not documented."""
        return await self._post("/v2/character/create", {"prompt": prompt}, parsing.parse_create_character)

    async def close(self) -> None:
        """Close every connection; later calls raise errors.Unsendable."""
        self._closed = True
        clients, self._clients = self._clients, None
        for client in clients or ():
            await client.aclose()

    async def _post(self, path: str, body: dict[str, Any], parse: _Parse[T]) -> T:
        if self._key is None:
            raise errors.KeyRejected(
                "No API key. Nothing was sent. Run `eternal-tui login`, or try `eternal-tui --demo`."
            )
        content = None
        # Raised outside the handler, without a cause that would hold the prompt.
        with suppress(ValueError, TypeError, RecursionError):
            content = msgspec.json.encode(body)
        if content is None:
            raise errors.Unsendable("The prompt cannot be written as JSON. Nothing was sent or charged. Type it again.")
        return await self._call("POST", path, parse, content)

    async def _call(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], T],
        content: bytes | None = None,
        *,
        with_key: bool = True,
    ) -> T:
        """Send one request and return its response, parsed; only a POST is paid."""
        paid = method == "POST"
        posts, gets = await self._ensure_open()
        client = posts if paid else gets
        leaving, reply = SendTracker(), RawResponse()
        lost: errors.ApiError | None = None
        try:
            async with self._limit(reply, paid=paid):
                request = client.build_request(
                    method,
                    self._base_url + path,
                    content=content,
                    headers={"content-type": "application/json"} if content is not None else None,
                    extensions={"trace": leaving.on_trace_event},
                )
                key = self._key if with_key else None
                auth = None if key is None else make_key_auth(key, self._header, self._base_url)
                await send(client, request, reply, auth)
        # Any failure needs a verdict on whether the request was sent; an unknown error means unknown.
        except Exception as error:  # noqa: BLE001
            lost = transport_error(error, leaving, self._host, paid=paid, route=self._network.route(self._base_url))
        # Raised outside the handler, without a cause: the frames below hold the key in their variables.
        if lost is not None and not _is_usable(reply):
            raise lost
        assert reply.status is not None
        headers, body = reply.headers, bytes(reply.body)
        if with_key:
            headers = {name: self._hide_key(value) for name, value in headers.items()}
            text = fields.decode_text(body)
            if (safe := self._hide_key(text)) != text:
                body = safe.encode("utf-8", "replace")
        with self._explained_errors(reply.status, body, paid=paid):
            if not 200 <= reply.status <= 299:
                raise errors.error_from_response(reply.status, headers, body, paid=paid, now=self._now())
            return parse(body)

    @contextmanager
    def _explained_errors(self, status: int, body: bytes, *, paid: bool) -> Iterator[None]:
        """Attach the response to each error; name the setting that a rejected key needs."""
        refused: errors.KeyRejected | None = None
        try:
            yield
        except errors.ApiError as error:
            error.raw, error.status = parsing.raw_excerpt(body), status
            advice = key_header_advice(self._key, self._header, error.service_message)
            if not (advice and isinstance(error, errors.KeyRejected)):
                raise
            refused = errors.KeyRejected(
                f"API key rejected in the header {self._header}. {'Not charged. ' if paid else ''}{advice}",
                error.service_message,
            )
            refused.raw, refused.status = error.raw, status
        if refused is not None:
            raise refused

    def _limit(self, reply: RawResponse, *, paid: bool) -> AbstractAsyncContextManager[object]:
        """Return the timeout of an exchange; for a POST it does not run while the process is stopped (SIGSTOP)."""
        if not paid:
            return asyncio.timeout(self._timeouts.deadline_get)
        waits = self._timeouts
        return awake_timeout(waits.deadline_post, waits.read_post, lambda: (reply.status, len(reply.body)))

    def _hide_key(self, text: str) -> str:
        """Return text of a response without the key, since errors are shown and saved."""
        if self._key is None or len(self._key.reveal()) < MIN_REDACTED_KEY_CHARS:
            return text
        return hide(text, self._key, REDACTED)

    async def _ensure_open(self) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
        """Return the clients for POST and for GET."""
        async with self._open_lock:
            problem = ""
            if self._clients is None and not self._closed:
                try:
                    # Importing httpx and reading the certificates takes a quarter of a second: not on the loop.
                    self._clients = await asyncio.to_thread(self._make_clients)
                except NetworkSetupError as error:
                    problem = str(error)
            # Also closed while the clients were being made.
            if self._closed or self._clients is None:
                raise errors.Unsendable(f"{problem or 'Shutting down.'} Nothing was sent or charged.")
            return self._clients

    def _make_clients(self) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
        import http.cookiejar

        import httpx

        if not is_loopback(self._host):
            # The result is downloaded from another host, perhaps through another proxy.
            self._network.check()
        waits = self._timeouts
        steps = {"connect": waits.connect, "write": waits.write, "pool": waits.pool}
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT}
        options: dict[str, Any] = {
            "follow_redirects": False,
            "cookies": http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
        }
        posts = self._network.make_client(
            self._base_url,
            headers={**headers, "connection": "close"},
            # The outcome of a POST over a pooled connection that is already dead would be unknown.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=httpx.Timeout(read=None, **steps),
            **options,
        )
        gets = self._network.make_client(
            self._base_url,
            headers=headers,
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=4, keepalive_expiry=KEEPALIVE_SECONDS),
            timeout=httpx.Timeout(read=waits.read_get, **steps),
            **options,
        )
        return posts, gets


def _is_usable(response: RawResponse) -> bool:
    """Tell whether a response whose connection broke can be used.

    A rejection is complete with its status; an acceptance with its whole JSON, so that no request id is lost.
    """
    if response.status is None:
        return False
    if not 200 <= response.status <= 299:
        return True
    try:
        fields.load_json(bytes(response.body))
    except ValueError:
        return False
    return True


def encode_path_segment(request_id: str) -> str:
    """Return the id as a single path segment, without separators, dots alone, query or fragment."""
    if request_id in (".", ".."):
        return request_id.replace(".", "%2E")
    return quote(request_id, safe="", errors="replace")


def make_key_auth(key: Secret, header: str, base_url: str) -> httpx.Auth:
    """Return what puts the key on requests to `base_url`'s own origin, and on no others."""
    import httpx

    origin = httpx.URL(base_url)

    class KeyAuth(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            url = request.url
            if (url.scheme, url.host, url.port) == (origin.scheme, origin.host, origin.port):
                value = key.reveal()
                request.headers[header] = f"Bearer {value}" if header.lower() == "authorization" else value
            yield request

    return KeyAuth()


class SendTracker:
    """Progress of a request, from httpcore's `trace` extension.

    `started`: writing the request has begun. `connecting`: the last event was of a connection, a TLS handshake or a
    proxy's CONNECT, none of which carries the request.
    """

    __slots__ = ("connecting", "started")

    def __init__(self) -> None:
        self.started = False
        self.connecting = False

    async def on_trace_event(self, event: str, info: dict[str, Any]) -> None:
        """Take one event of httpcore's `trace` extension."""
        step = event.partition(".")[2]
        if step.startswith(("connect_tcp.", "start_tls.")):
            self.connecting = not self.started
        elif step == "send_request_headers.started":
            self.connecting = info["request"].method == b"CONNECT"
            self.started = self.started or not self.connecting
        elif "request" in info and info["request"].method != b"CONNECT":
            self.connecting = False


def is_provably_unsent(error: BaseException, tracker: SendTracker) -> bool:
    """Return whether certainly no byte of the request reached the service.

    Unknown errors, and any error after writing began, prove nothing.
    """
    if tracker.started:
        return False
    return tracker.connecting or any(kind.__name__ in UNSENT_ERROR_NAMES for kind in type(error).__mro__)


class RawResponse(msgspec.Struct):
    """The received part of a response; `status` is None until its head was read."""

    status: int | None = None
    headers: dict[str, str] = {}
    body: bytearray = msgspec.field(default_factory=bytearray)
    is_complete: bool = False


async def send(
    client: httpx.AsyncClient, request: httpx.Request, raw_response: RawResponse, auth: httpx.Auth | None
) -> None:
    """Send `request` once and fill `raw_response`, also with a part of a response that breaks off; raises any error."""
    response = await client.send(request, stream=True, auth=auth, follow_redirects=False)
    try:
        raw_response.status = response.status_code
        raw_response.headers = dict(response.headers)
        answered = 200 <= response.status_code <= 299
        limit = MAX_BODY_BYTES if answered else MAX_ERROR_BODY_BYTES
        expand = BoundedDecompressor(response.headers.get("content-encoding", ""), limit)
        async for chunk in response.aiter_raw():
            for part in expand.decompress(chunk):
                raw_response.body += part
            if len(raw_response.body) > limit:
                if answered:
                    raise BodyTooLarge
                break
        raw_response.is_complete = True
    finally:
        await response.aclose()


def transport_error(
    error: BaseException, tracker: SendTracker, host: str, *, paid: bool, route: Route = DIRECT
) -> errors.ApiError:
    """Return the typed error for an exchange without a response; `route` is the way to the host."""
    notice = errors.charge_notice(paid)
    if is_provably_unsent(error, tracker):
        if type(error).__name__ in ("InvalidURL", "UnsupportedProtocol"):
            return errors.Unsendable(f"The address {host} cannot be used. Nothing was sent or charged. Check base_url.")
        return errors.Unreachable(f"{connection_failure_text(error, host, route)} Nothing was sent or charged.")
    if isinstance(error, BodyTooLarge | UnknownContentEncoding | zlib.error):
        return errors.InvalidResponse(f"Response from {host} is too large or uses an unsupported encoding.{notice}")
    return errors.ResponseLost(f"Connection to {host} was lost before the response arrived.{notice}")

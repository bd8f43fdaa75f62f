"""One request and its response over httpx, and whether a failed request can have been charged."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.api import errors
from eternal_tui.api.errors import charge_notice
from eternal_tui.core.http import BodyTooLarge, BoundedDecompressor, UnknownContentEncoding
from eternal_tui.core.network import DIRECT, Route, connection_failure_text

if TYPE_CHECKING:
    import httpx

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
    if is_provably_unsent(error, tracker):
        if type(error).__name__ in ("InvalidURL", "UnsupportedProtocol"):
            return errors.Unsendable(f"The address {host} cannot be used. Nothing was sent or charged. Check base_url.")
        return errors.Unreachable(f"{connection_failure_text(error, host, route)} Nothing was sent or charged.")
    if isinstance(error, BodyTooLarge | UnknownContentEncoding | zlib.error):
        return errors.InvalidResponse(
            f"Response from {host} is too large or uses an unsupported encoding.{charge_notice(paid)}"
        )
    return errors.ResponseLost(f"Connection to {host} was lost before the response arrived.{charge_notice(paid)}")

"""One request and its answer over httpx: what was sent, what came back, and what a failure means for money."""

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
"""Bytes of an answer, before and after decompression: the worst of that size is read in 0.2 s, on the event loop.

A page of 50 characters is about 50 kB, and 300 kB with stories as long as they are kept.
"""

MAX_ERROR_BODY_BYTES = 64 * 1024
"""Bytes read of an answer that is an error anyway: enough for what it says."""

UNSENT_ERROR_NAMES = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}
)
"""The httpx errors that are only ever raised before the first byte of a request is written."""


class SendTracker:
    """How far a request has got out of the door, as httpcore's trace tells it.

    `started`: the request itself has begun to be written. `connecting`: the last thing heard of was a connection,
    a TLS handshake or a proxy's CONNECT, none of which carries the request.
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
    """Tell whether it is proved that no byte of the request reached the service.

    A kind of error that is unknown here, or one met after the request began to leave, proves nothing.
    """
    if tracker.started:
        return False
    return tracker.connecting or any(kind.__name__ in UNSENT_ERROR_NAMES for kind in type(error).__mro__)


class RawResponse(msgspec.Struct):
    """As much of an answer as has come; `status` is None until its head was read."""

    status: int | None = None
    headers: dict[str, str] = {}
    body: bytearray = msgspec.field(default_factory=bytearray)
    is_complete: bool = False


async def send(
    client: httpx.AsyncClient, request: httpx.Request, raw_response: RawResponse, auth: httpx.Auth | None
) -> None:
    """Send `request` once and fill `raw_response`; whatever goes wrong is raised, and what came before it is kept."""
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
    """Return the typed error for an exchange that ended without an answer; `route` is how it was to get there."""
    if is_provably_unsent(error, tracker):
        if type(error).__name__ in ("InvalidURL", "UnsupportedProtocol"):
            return errors.Unsendable(f"The address {host} cannot be used. Nothing was sent or charged. Check base_url.")
        return errors.Unreachable(f"{connection_failure_text(error, host, route)} Nothing was sent or charged.")
    if isinstance(error, BodyTooLarge | UnknownContentEncoding | zlib.error):
        return errors.InvalidResponse(
            f"Response from {host} is too large or uses an unsupported encoding.{charge_notice(paid)}"
        )
    return errors.ResponseLost(f"Connection to {host} was lost before the response arrived.{charge_notice(paid)}")

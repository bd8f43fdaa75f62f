"""An httpx transport that leaves no connection open when a request is cancelled or its client closed.

httpcore forgets a stream whose TLS or SOCKS handshake is cancelled, one that a SOCKS proxy refused, and one that was
being connected when its pool was closed: each would stay open until the garbage collector finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import httpcore

_STEPS_BEFORE_SENDING = ("connect_tcp.complete", "start_tls.complete", "send_request_headers.started")


class HttpTransport(httpx.AsyncHTTPTransport):
    """Closes the streams connected for a request that ends without a response; sends nothing once it is closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._is_closed = False
        self._streams: dict[int, list[httpcore.AsyncNetworkStream]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`. Raises ConnectError where the transport was closed before the request began to leave."""
        trace = request.extensions.get("trace")
        streams = self._streams[id(request)] = []

        async def on_trace_event(event: str, info: dict[str, Any]) -> None:
            step = event.partition(".")[2]
            if step == "connect_tcp.complete":
                streams.append(info["return_value"])
            if self._is_closed and step in _STEPS_BEFORE_SENDING:
                raise httpx.ConnectError("the client is closed")
            if trace is not None:
                await trace(event, info)

        request.extensions = {**request.extensions, "trace": on_trace_event}
        try:
            return await super().handle_async_request(request)
        except BaseException:
            await _close_all(streams)
            raise
        finally:
            del self._streams[id(request)]

    async def aclose(self) -> None:
        """Close every connection, also those that are being made."""
        self._is_closed = True
        await _close_all(stream for streams in self._streams.values() for stream in streams)
        await super().aclose()


async def _close_all(streams: Iterable[httpcore.AsyncNetworkStream]) -> None:
    async with AsyncExitStack() as stack:
        for stream in streams:
            stack.push_async_callback(stream.aclose)

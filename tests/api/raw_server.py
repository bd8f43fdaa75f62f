"""A server of nothing but bytes on loopback: it can answer in every way a real one never should."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

from tests.loopback import ConnectionHandler, serve

Responder = Callable[["RawServer", bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Records every request whole and lets `respond` write whatever it likes; `handshake` comes before the first."""

    def __init__(
        self, respond: Responder, *, tls: ssl.SSLContext | None = None, handshake: ConnectionHandler | None = None
    ) -> None:
        self.requests: list[bytes] = []
        self.request_received = asyncio.Event()
        self.connections = 0
        self.port = 0
        self._respond = respond
        self._tls = tls
        self._handshake = handshake
        self._exit_stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self.port = await self._exit_stack.enter_async_context(serve(self._serve, self._tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit_stack.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._handshake is not None:
            await self._handshake(reader, writer)
        while request := await _read_request(reader):
            self.requests.append(request)
            self.request_received.set()
            await self._respond(self, request, reader, writer)


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


def http_response(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Return a whole, correct HTTP answer."""
    lines = [f"HTTP/1.1 {status} Words"]
    told = {"Content-Length": str(len(body)), **(headers or {})}
    lines += [f"{name}: {value}" for name, value in told.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always_respond(response: bytes, *, close: bool = False) -> Responder:
    """Return an answerer that gives everybody the same bytes."""

    async def give(
        server: RawServer, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(response)
        await writer.drain()
        if close:
            raise ConnectionError

    return give


async def never_respond(
    server: RawServer, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Say nothing until the other side goes away."""
    await reader.read()

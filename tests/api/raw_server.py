"""A server of nothing but bytes on loopback: it can answer in every way a real one never should."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Self

from tests.loopback import ConnectionHandler, serve

Answer = bytes | Callable[[bytes], bytes | AsyncIterator[bytes]] | None


class RawServer:
    """Records every request whole and answers it with these bytes, what a function of it returns, or never.

    With `close` the connection ends behind an answer; `handshake` comes before the first.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        close: bool = False,
        tls: ssl.SSLContext | None = None,
        handshake: ConnectionHandler | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.request_received = asyncio.Event()
        self.connections = 0
        self.port = 0
        self._answer = answer
        self._close = close
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
            answer = self._answer(request) if callable(self._answer) else self._answer
            if answer is None:
                await reader.read()
            elif isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                async for part in answer:
                    writer.write(part)
                    await writer.drain()
            if self._close:
                return


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

"""A storage host as bad as it likes to be: plain asyncio on loopback, one handler a test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.loopback import serve

Handler = Callable[["ReceivedRequest", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ReceivedRequest:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    raw: bytes


@dataclass
class StorageServer:
    """A running server: its port, and everything it was asked."""

    port: int
    requests: list[ReceivedRequest] = field(default_factory=list)
    tls: bool = False

    def url(self, path: str = "/result", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"


@asynccontextmanager
async def serve_storage(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[StorageServer]:
    """Serve `handler` on a free loopback port."""
    found = StorageServer(0, tls=tls is not None)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        one = ReceivedRequest(lines[0].split(" ")[1], {key.lower(): value for key, value in headers.items()}, raw)
        found.requests.append(one)
        await handler(one, writer)

    async with serve(respond, tls) as found.port:
        yield found


def response_head(status: str = "200 OK", **headers: object) -> bytes:
    """Return the start of an answer; `content_length=5` becomes `content-length: 5`."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "connection: close", "", ""]).encode("latin-1")


def respond_with(body: bytes, status: str = "200 OK", **headers: object) -> Handler:
    """Return a handler that sends `body` with its right length."""

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(status, content_length=len(body), **headers) + body)
        await writer.drain()

    return handler

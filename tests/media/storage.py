"""A storage host as bad as a test needs: plain asyncio on loopback, one handler a test, and downloads from it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.core.network import Network
from eternal_tui.media.decode.filetype import DownloadedFile, MediaKind
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.errors import BrokenFile, ResultError
from eternal_tui.media.limits import DownloadLimits, LinkPolicy
from tests.loopback import serve

Handler = Callable[["ReceivedRequest", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ReceivedRequest:
    """One request as it came over the wire, numbered from 1."""

    path: str
    headers: dict[str, str]
    raw: bytes
    number: int


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
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        del headers[""]
        asked = ReceivedRequest(lines[0].split(" ")[1], headers, raw, len(found.requests) + 1)
        found.requests.append(asked)
        await handler(asked, writer)
        await writer.drain()

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

    return handler


class FakeSleep:
    """Returns at once in place of sleeping, and records for how long it would have been."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.calls.append(seconds)


@asynccontextmanager
async def open_downloader(
    results: Path, limits: DownloadLimits | None = None, **options: Any
) -> AsyncIterator[ResultDownloader]:
    """Return a downloader for a service on loopback unless `options` say otherwise."""
    network = Network(options.pop("environ", {}))
    policy = LinkPolicy(public=options.pop("public", False), allow_http=options.pop("allow_http", True))
    made = ResultDownloader(results, limits, policy, network, **({"sleep": FakeSleep()} | options))
    try:
        yield made
    finally:
        await made.close()


Fetch = Callable[..., Awaitable[DownloadedFile]]


@asynccontextmanager
async def open_storage(
    results: Path, handler: Handler, *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[StorageServer, Fetch]]:
    """Yield a storage host, and what fetches a URL into `results`, by default as the image of job 7."""
    async with serve_storage(handler, tls) as host, open_downloader(results, **options) as downloader:

        def fetch(url: str, *, name: str = "7", expect: MediaKind = "image", **more: Any) -> Awaitable[DownloadedFile]:
            return downloader.fetch(url, name=name, expect=expect, **more)

        yield host, fetch


async def fetch_result(
    results: Path, handler: Handler, *, limits: DownloadLimits | None = None, **more: Any
) -> tuple[DownloadedFile, list[ReceivedRequest]]:
    """Return the result of job 7 as `handler` serves it, and what it was asked."""
    async with open_storage(results, handler, limits=limits) as (host, fetch):
        return await fetch(host.url(), **more), host.requests


async def fetch_refused(
    results: Path, handler: Handler, error: type[ResultError] = BrokenFile, match: str = ".", **options: Any
) -> tuple[Any, list[ReceivedRequest]]:
    """Return the error with which a fetch ends that leaves no file, and what was asked."""
    async with open_storage(results, handler, **options) as (host, fetch):
        with pytest.raises(error, match=match) as caught:
            await fetch(host.url())
    assert file_names(results) == []
    assert "Not charged again" in str(caught.value)
    return caught.value, host.requests


def file_names(results: Path) -> list[str]:
    """Return every name in the folder."""
    return sorted(entry.name for entry in results.iterdir())

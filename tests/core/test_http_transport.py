"""Connections of a request that is cancelled, or whose client is closed, at every step of the event loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import warnings

import httpx
import pytest

from eternal_tui.core.network import Network
from tests.api.raw_server import RawServer, http_response
from tests.loopback import ConnectionHandler

ANSWER = http_response(200, b"{}")
MAX_STEPS = 200


def socks_handshake(reply: bytes) -> ConnectionHandler:
    """Return the server's half of a SOCKS 5 handshake; byte 1 of `reply` is 0 where it accepts."""

    async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in (b"\x05\x00", reply + b"\x00\x01" + bytes(6)):
            if await reader.read(300):
                writer.write(part)

    return shake


KINDS = {
    "plain": ("http://127.0.0.1:{port}", "", None),
    # The server takes the client's hello for a request that does not end.
    "tls": ("https://127.0.0.1:{port}", "", None),
    "socks": ("http://service.invalid", "socks5h://127.0.0.1:{port}", socks_handshake(b"\x05\x00")),
    "refusing socks": ("http://service.invalid", "socks5h://127.0.0.1:{port}", socks_handshake(b"\x05\x02")),
}


async def end_after(steps: int, network: Network, url: str, action: str) -> bool:
    """Cancel a request, or close its client, after so many steps; return whether there is nothing later to try."""
    client = network.make_client(url, limits=httpx.Limits())
    request = asyncio.create_task(client.get(url, timeout=0.5))
    for _ in range(steps):
        await asyncio.sleep(0)
    finished = request.done() or steps == MAX_STEPS
    if action == "cancel":
        request.cancel()
    else:
        await client.aclose()
    await asyncio.gather(request, return_exceptions=True)
    await client.aclose()
    return finished


@pytest.mark.parametrize("action", ["cancel", "close"])
@pytest.mark.parametrize("kind", KINDS)
async def test_no_connection_is_left_open_at_any_step(kind: str, action: str) -> None:
    gc.collect()
    url, proxy, handshake = KINDS[kind]
    async with RawServer(ANSWER, handshake=handshake) as server:
        url = url.format(port=server.port)
        network = Network({"ALL_PROXY": proxy.format(port=server.port)})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for steps in itertools.count():
                if await end_after(steps, network, url, action):
                    break
            gc.collect()
        assert [str(each.message) for each in caught] == []


async def test_nothing_is_sent_once_the_client_is_closed() -> None:
    async with RawServer(ANSWER) as server:
        client = Network({}).make_client(server.url, limits=httpx.Limits())
        connecting, closed = asyncio.Event(), asyncio.Event()

        async def hold(event: str, info: object) -> None:
            if event == "connection.connect_tcp.started":
                connecting.set()
                await closed.wait()

        request = asyncio.create_task(client.get(server.url, extensions={"trace": hold}))
        await connecting.wait()
        await client.aclose()
        closed.set()
        with pytest.raises(httpx.ConnectError, match="closed"):
            await request
        assert server.requests == []

"""The ways out of this machine, as the environment says, and who is blamed where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import ApiClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.network import Network, NetworkSetupError
from eternal_tui.core.secret import Secret
from tests.api.raw_server import RawServer, http_response
from tests.loopback import serve

REQUEST = GenerateRequest(character="6870", prompt="x", type="image")
PROXY = "http://proxy.example:8080"
THROUGH = f"through {PROXY} (HTTPS_PROXY)"


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({}, "direct"),
        ({"HTTPS_PROXY": PROXY}, THROUGH),
        ({"HTTPS_PROXY": "proxy.example:8080"}, THROUGH),
        (
            {"https_proxy": "http://u:p@proxy.example:8080", "HTTPS_PROXY": "other"},
            f"through {PROXY} (https_proxy)",
        ),
        ({"HTTP_PROXY": PROXY}, "direct"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, "through socks5://127.0.0.1:1080 (ALL_PROXY)"),
        ({"all_proxy": "socks://[::1]:1080"}, "through socks://[::1]:1080 (all_proxy)"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, f"through {PROXY} (ALL_PROXY)"),
        *(
            ({"HTTPS_PROXY": PROXY, "NO_PROXY": value}, "direct (NO_PROXY)")
            for value in (
                *("*", "example.org", ".example.org", "*.example.org", "api.example.org", "API.Example.ORG.", "org"),
                *("other, example.org", "other example.org", "example.org:443", "api.example.org:443"),
            )
        ),
        *(
            ({"HTTPS_PROXY": PROXY, "NO_PROXY": value}, THROUGH)
            for value in (
                "other", "ple.org", "example.org:8443", "x.api.example.org", "::1/128", "fe80::/10", ",,",
                "10.0.0.0/8",
            )
        ),
    ],
)  # fmt: skip
def test_network_describes_the_way_to_a_host(environ: dict[str, str], way: str) -> None:
    assert Network(environ).describe("https://api.example.org/v2") == way


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://10.1.2.3/", "10.0.0.0/8", True), ("https://10.1.2.3/", "10.1.2.3", True),
        ("https://10.1.2.3/", "10.1.2.3:443", True), ("https://10.1.2.3:8443/", "10.1.2.3:443", False),
        ("https://11.1.2.3/", "10.0.0.0/8", False), ("https://[2001:db8::5]/", "2001:db8::/32", True),
        ("https://[2001:db8::5]/", "[2001:db8::5]", True), ("https://[2001:db8::5]:444/", "[2001:db8::5]:444", True),
        ("https://[2001:db8::5]/", "2001:db8:0::5", True), ("https://10.1.2.3/", "2.3", False),
        ("https://[2001:db9::5]/", "2001:db8::/32,10.0.0.0/8", False), ("https://127.0.0.1/", "", True),
        ("http://localhost:9/", "", True), ("http://[::1]:9/", "", True),
    ],
)  # fmt: skip
def test_no_proxy_takes_addresses_ranges_and_ports(url: str, no_proxy: str, direct: bool) -> None:
    network = Network({"ALL_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert (network.route(url).proxy is None) is direct


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks4://user:sesame@h:1", "unsupported proxy type 'socks4'"),
        ("HTTPS_PROXY", "ftp://user:sesame@h", "unsupported proxy type 'ftp'"),
        ("HTTPS_PROXY", "http://user:sesame@", "is not a proxy address"),
        ("HTTPS_PROXY", "http://user:sesame@h:99999", "is not a proxy address"),
        ("HTTPS_PROXY", "http://user:sesame@h h", "is not a proxy address"),
    ],
)
def test_unusable_proxy_is_named_without_password(variable: str, value: str, words: str) -> None:
    network = Network({variable: value})
    with pytest.raises(NetworkSetupError, match=words) as caught:
        network.check()
    assert str(caught.value).startswith(variable)
    assert "sesame" not in str(caught.value) + network.describe("https://api.example.org")
    network.route("http://127.0.0.1/")


async def test_dead_certificate_file_is_named_only_where_tls_is_used(tmp_path: Path) -> None:
    network = Network({"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    client = ApiClient("https://service.invalid", Secret("canary-key-1"), network=network)
    with pytest.raises(
        errors.Unsendable, match=r"SSL_CERT_FILE: cannot read .*none\.pem.* No such file.*Nothing was sent"
    ):
        await client.submit(REQUEST)
    async with (
        RawServer(http_response(200, b'{"request_id": "abc"}')) as server,
        ApiClient(server.url, Secret("canary-key-1"), network=network) as client,
    ):
        assert (await client.submit(REQUEST)).request_id == "abc"


class SocksServer:
    """A SOCKS5 proxy (RFC 1928) without login that leads every connection to one port of this machine."""

    def __init__(self, port: int, *, reply: int = 0) -> None:
        self.names: list[str] = []
        self._port = port
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        *_, kind = await reader.readexactly(4)
        assert kind == 3, "names are resolved by the proxy"
        (length,) = await reader.readexactly(1)
        self.names.append((await reader.readexactly(length)).decode())
        await reader.readexactly(2)
        writer.write(bytes([5, self._reply, 0, 1]) + bytes(6))
        if self._reply == 0:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                back.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65_536):
        target.write(chunk)
    target.close()


@asynccontextmanager
async def socks_server(port: int, *, reply: int = 0) -> AsyncIterator[tuple[SocksServer, str]]:
    socks = SocksServer(port, reply=reply)
    async with serve(socks.serve) as socks_port:
        yield socks, f"socks5://127.0.0.1:{socks_port}"


async def test_socks_proxy_carries_a_post_and_resolves_its_host() -> None:
    async with (
        RawServer(http_response(200, b'{"request_id": "abc"}')) as server,
        socks_server(server.port) as (socks, url),
    ):
        client = ApiClient("http://service.invalid", Secret("canary-key-1"), network=Network({"ALL_PROXY": url}))
        assert (await client.submit(REQUEST)).request_id == "abc"
        await client.close()
    assert socks.names == ["service.invalid"]


async def test_unreachable_socks_proxy_is_named() -> None:
    async with socks_server(1, reply=5) as (_, url):
        client = ApiClient("http://service.invalid", Secret("canary-key-1"), network=Network({"ALL_PROXY": url}))
        with pytest.raises(errors.Unreachable, match=r"The proxy socks5://.* \(ALL_PROXY\) could not reach"):
            await client.submit(REQUEST)
        await client.close()

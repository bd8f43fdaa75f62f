"""Policy of links: schemes, hosts, redirects, and untrusted names."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.media.download.url_policy import Resolver, is_public, validate_url
from eternal_tui.media.errors import LinkRejected, ResultError, StorageUnreachable
from eternal_tui.media.limits import LinkPolicy
from tests.certificates import make_certificate
from tests.media.storage import (
    ReceivedRequest,
    fetch_refused,
    file_names,
    open_downloader,
    open_storage,
    respond_with,
    response_head,
    serve_storage,
)

PRIVATE_ADDRESSES = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:100.64.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1", "::127.0.0.1",
    "::a00:1", "::ffff:0:7f00:1", "::ffff:0:10.0.0.1", "fec0::1", "feff::1", "64:ff9b:1::7f00:1",
    "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:192.168.1.1", "4000::1", "5f00::1",
]  # fmt: skip
LOCAL_HOSTS = [
    "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "0", "localhost", "a.localhost", "LOCALHOST.",
    "127.0.0.1.", "169.254.169.254.", "127.0.0.1..", "0x7f000001.", "①②⑦.⓪.⓪.①", "127。0。0。1", "metadata",
    "metadata.", "nas.lan", "NAS.LAN.", "printer.local", "router.home", "box.fritz.box", "metadata.google.internal",
    "intra.corp", "10.0.0.1.nip.io", "localtest.me", "1.0.0.127.in-addr.arpa",
]  # fmt: skip


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


async def fail_on_resolve(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


@pytest.mark.parametrize("host", [*PRIVATE_ADDRESSES, *LOCAL_HOSTS])
async def test_a_public_service_s_link_never_leads_into_a_private_network(
    tmp_path: Path, jpeg: bytes, host: str
) -> None:
    """Also through a proxy, which would look the name up."""
    async with open_storage(tmp_path, respond_with(jpeg), public=True, resolve=fail_on_resolve) as (there, fetch):
        link = f"http://{f'[{host}]' if ':' in host else host}:{there.port}/result"
        environ = {"http_proxy": there.url("")}
        with pytest.raises(LinkRejected):
            await fetch(link)
        async with open_downloader(tmp_path, public=True, environ=environ, resolve=fail_on_resolve) as downloader:
            with pytest.raises(LinkRejected):
                await downloader.fetch(link, name="7", expect="image")
    assert there.requests == []
    assert file_names(tmp_path) == []


def resolve_to(*addresses: str) -> Resolver:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("found", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]])
async def test_a_name_that_resolves_inwards_is_refused(tmp_path: Path, jpeg: bytes, found: list[str]) -> None:
    options: dict[str, Any] = {"public": True, "resolve": resolve_to(*found)}
    async with open_storage(tmp_path, respond_with(jpeg), **options) as (there, fetch):
        with pytest.raises(LinkRejected, match="private network"):
            await fetch(there.url(host="cdn.example"))
    assert there.requests == []


async def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path, jpeg: bytes) -> None:
    """One look-up a hop, and its answer is used: a name that changes its address gains nothing."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2", "127.0.0.1"]  # nothing listens on the first

    async with open_storage(tmp_path, respond_with(jpeg), resolve=resolve) as (there, fetch):
        await fetch(there.url(host="cdn.invalid"))
    assert asked == ["cdn.invalid"]
    assert there.requests[0].headers["host"] == f"cdn.invalid:{there.port}"


async def test_an_unknown_name_is_unreachable(tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError

    async with open_downloader(tmp_path, resolve=resolve) as downloader:
        with pytest.raises(StorageUnreachable, match="name was not found"):
            await downloader.fetch("http://cdn.invalid/", name="7", expect="image")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_five_times_and_no_further(tmp_path: Path, jpeg: bytes, status: int) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        left = int(asked.path.strip("/"))
        if left:
            writer.write(response_head(f"{status} There", location=f"/{left - 1}", content_length=0))
        else:
            writer.write(response_head(content_length=len(jpeg)) + jpeg)

    async with open_storage(tmp_path, handler) as (there, fetch):
        await fetch(there.url("/5"))
        with pytest.raises(LinkRejected, match="more than 5"):
            await fetch(there.url("/6"), name="8")
    assert file_names(tmp_path) == ["7.jpg"]


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://cdn.example/a", "javascript:alert(1)", "data:image/png;base64,AA", "http://",
     "http://user:word@127.0.0.1/", "http://[::1", "//", "http://\x7f/", "\\\\host\\share"],
)  # fmt: skip
async def test_redirects_to_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    error, requests = await fetch_refused(tmp_path, respond_with(b"", "302 Found", location=location), ResultError)
    assert isinstance(error, (LinkRejected, StorageUnreachable))
    assert len(requests) <= 6


async def test_a_redirect_into_the_private_network_is_refused(tmp_path: Path) -> None:
    """Every hop is checked. The storage is behind a proxy, so that its own host is a public one."""
    handler = respond_with(b"", "302 Found", location="http://169.254.169.254/meta")
    async with (
        serve_storage(handler) as proxy,
        open_downloader(tmp_path, public=True, environ={"http_proxy": proxy.url("")}) as fetch,
    ):
        with pytest.raises(LinkRejected, match="private network"):
            await fetch.fetch("http://cdn.example/a", name="7", expect="image")
    assert [asked.path for asked in proxy.requests] == ["http://cdn.example/a"]


async def test_tls_is_checked_for_the_name_and_never_left_for_plain_http(tmp_path: Path, jpeg: bytes) -> None:
    """Connecting by address must not weaken TLS: the certificate is still held against the link's host."""
    certificate = make_certificate("cdn.invalid", tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    options: dict[str, Any] = {"resolve": resolve_to("127.0.0.1"), "environ": {"SSL_CERT_FILE": str(certificate)}}
    results = tmp_path / "results"

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.path == "/down":
            writer.write(response_head("302 Found", location="http://cdn.invalid/result", content_length=0))
        else:
            writer.write(response_head(content_length=len(jpeg)) + jpeg)

    async with open_storage(results, handler, tls=server_side, **options) as (there, fetch):
        assert (await fetch(there.url(host="cdn.invalid"))).path.read_bytes() == jpeg
        with pytest.raises(StorageUnreachable):
            await fetch(there.url(host="other.invalid"), name="8")
        with pytest.raises(LinkRejected, match="plain http"):
            await fetch(there.url("/down", host="cdn.invalid"), name="9")
    assert file_names(results) == ["7.jpg"]


async def test_through_a_proxy_the_name_goes_along(tmp_path: Path, jpeg: bytes) -> None:
    async with serve_storage(respond_with(jpeg)) as proxy:
        environ = {"http_proxy": proxy.url("")}
        async with open_downloader(tmp_path, public=True, environ=environ, resolve=fail_on_resolve) as downloader:
            await downloader.fetch("http://cdn.example/a?sig=1", name="7", expect="image")
    assert [asked.path for asked in proxy.requests] == ["http://cdn.example/a?sig=1"]


BAD_LINKS = ["", " ", "http://", "https:///a", "//cdn.example/a", "/etc/passwd", "file:///etc/passwd", "ftp://a/b",
             "gopher://a", "javascript:alert(1)", "http://u@a/", "http://u:p@a/", "http://a:99999/", "http://a:x/",
             "http://[::1", "http://[fe80::1%25lo]/", "http://a b/", "http://\x00/", "http://" + "a" * 70_000,
             "-oProxyCommand=x", "http://a%00b/"]  # fmt: skip


@pytest.mark.parametrize("link", BAD_LINKS, ids=range(len(BAD_LINKS)))
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(LinkRejected):
        validate_url(link)


@given(st.text(max_size=80), st.sampled_from(["", "http://", "https://", "http://a/", "//"]))
def test_any_text_is_a_link_or_refused(text: str, before: str) -> None:
    try:
        parsed = validate_url(before + text)
    except LinkRejected:
        return
    assert parsed.scheme in ("http", "https")
    assert parsed.host
    assert not parsed.userinfo


def hostile_names(count: int) -> list[str]:
    """Return file names as attackers send them, each once plain and in mixtures, always the same ones."""
    pieces = [
        "../", "..\\", "/etc/passwd", "%2e%2e%2f", "\x00", ".jpg", ".desktop", ";", '"', "'", "\r\n", "\x1b[2J", "C:",
        "~", "$(id)", "`id`", "|", "CON", "\u202egpj.exe", "é", "a" * 300, "-rf", " ", "*", ".", "..", "filename*=",
    ]  # fmt: skip
    chance = random.Random(5)
    return ["".join(chance.choices(pieces, k=chance.randint(1, 5))) for _ in range(count)]


async def test_hostile_names_never_change_ours(tmp_path: Path, jpeg: bytes) -> None:
    """In the path, the query and Content-Disposition: the only file ever made is the job's own."""
    names, results = hostile_names(200), tmp_path / "results"

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        sent = re.sub("[\r\n\0]", "", names[asked.number - 1]).encode().decode("latin-1")
        disposition = f'attachment; filename="{sent}"'
        writer.write(response_head(content_length=len(jpeg), content_disposition=disposition, content_type=sent) + jpeg)

    saved = 0
    async with open_storage(results, handler) as (there, fetch):
        for name in names:
            with contextlib.suppress(ResultError):
                found = await fetch(there.url(f"/{name}?filename={name}"), name="0000012")
                assert found.path == results / "0000012.jpg"
                saved += 1
    assert saved > 100
    assert file_names(tmp_path) == ["results"]
    assert file_names(results) == ["0000012.jpg"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a.jpg", "a\x00", "é", "-" * 65, "a b"])
async def test_only_a_job_id_names_a_file(tmp_path: Path, name: str) -> None:
    async with open_downloader(tmp_path) as fetch:
        with pytest.raises(ValueError, match="named by its job id"):
            await fetch.fetch("http://127.0.0.1/", name=name, expect="image")


@pytest.mark.parametrize(
    ("base_url", "allow_http", "followed"),
    [
        ("https://open.eternalai.org", False, False),
        ("https://open.eternalai.org", True, True),
        ("http://127.0.0.1:8000", False, True),
    ],
)
def test_plain_http_link_is_followed_only_where_the_service_or_the_setting_allows(
    base_url: str, allow_http: bool, followed: bool
) -> None:
    policy = LinkPolicy.of_service(base_url, allow_http=allow_http)
    assert validate_url("https://cdn.example/a", policy).host == "cdn.example"
    if followed:
        assert validate_url("http://cdn.example/a", policy).scheme == "http"
    else:
        with pytest.raises(LinkRejected, match="allow_http_links"):
            validate_url("http://cdn.example/a", policy)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254.", "nas.lan", "[fe80::1]"])
async def test_a_service_on_this_machine_leads_to_this_machine_and_no_other_private_one(
    tmp_path: Path, jpeg: bytes, host: str
) -> None:
    async with open_storage(tmp_path, respond_with(jpeg), resolve=fail_on_resolve) as (there, fetch):
        with pytest.raises(LinkRejected, match="private network"):
            await fetch(f"http://{host}/a.jpg")
        await fetch(there.url(host="127.0.0.1."))

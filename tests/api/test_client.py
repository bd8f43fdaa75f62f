"""The client over real sockets, against servers that do what no server should."""

from __future__ import annotations

import asyncio
import gzip
import html
import io
import json
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from rich.console import Console
from rich.traceback import Traceback

from eternal_tui.api import errors
from eternal_tui.api.client import MAX_BODY_BYTES, ApiClient, Timeouts, make_key_auth
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret
from tests.api.raw_server import RawServer, http_response

CANARY = "canary-key-0123456789"
KEY = Secret(CANARY)
REQUEST = GenerateRequest(character="6870", prompt="The person waves", type="image")
ACCEPTED = http_response(200, b'{"request_id": "abc", "status": "pending", "credits_remaining": 5}')
PENDING = http_response(200, b'{"status": "pending"}')
SHORT_TIMEOUTS = Timeouts(read_post=0.15)
"""For a service that says nothing; where it says something, a busy machine may take its time."""


def open_client(url: str, key: Secret | None = KEY, **options: Any) -> ApiClient:
    return ApiClient(url, key, now=lambda: 0.0, **options)


def parse_headers(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_a_paid_post_has_exactly_these_headers_and_body() -> None:
    async with RawServer(ACCEPTED) as server, open_client(server.url) as client:
        answer = await client.submit(REQUEST)
    assert (answer.request_id, answer.credits_remaining) == ("abc", 5.0)
    assert len(server.requests) == 1
    line, _, body = server.requests[0].partition(b"\r\n")[0], None, server.requests[0].partition(b"\r\n\r\n")[2]
    assert line == b"POST /v2/base/generate HTTP/1.1"
    assert json.loads(body) == {"images": ["6870"], "prompt": "The person waves", "type": "image"}
    head = parse_headers(server.requests[0])
    assert head.pop("user-agent").startswith("eternal-tui/")
    assert head == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-api-key": CANARY,
    }


async def test_the_newer_header_carries_a_bearer_token_and_a_base_url_may_have_a_path() -> None:
    async with RawServer(ACCEPTED) as server, open_client(server.url + "/gate/", header="Authorization") as client:
        await client.poll("abc")
    assert server.requests[0].startswith(b"GET /gate/v2/poll-result/abc ")
    head = parse_headers(server.requests[0])
    assert head["authorization"] == f"Bearer {CANARY}"
    assert "x-api-key" not in head


async def test_the_public_list_is_asked_without_the_key() -> None:
    async with RawServer(http_response(200, b'{"result": []}')) as server, open_client(server.url) as client:
        assert await client.get_character_page() == []
    assert server.requests[0].startswith(b"GET /v2/characters?page=1&limit=50 ")
    assert CANARY.encode() not in server.requests[0]


@pytest.mark.parametrize("status", [199, 302, 400, 500])
async def test_a_body_that_would_be_a_fine_answer_does_not_rescue_a_bad_status(status: int) -> None:
    answer = http_response(status, b'{"request_id": "abc", "result": []}')
    async with RawServer(answer, close=True) as server, open_client(server.url) as client:
        for call in (
            client.submit(REQUEST),
            client.create_character("a"),
            client.poll("a"),
            client.get_character_page(),
        ):
            with pytest.raises(errors.ApiError) as caught:
                await call
            assert caught.value.status == (None if status == 199 else status)


async def test_without_a_key_nothing_paid_leaves() -> None:
    async with RawServer(ACCEPTED) as server, open_client(server.url, key=None) as client:
        with pytest.raises(errors.KeyRejected, match="eternal-tui login"):
            await client.submit(REQUEST)
        with pytest.raises(errors.KeyRejected):
            await client.create_character("a sailor")
        assert (await client.poll("abc")).outcome == "alive"
    assert len(server.requests) == 1


def test_the_key_is_put_on_requests_to_its_own_origin_only() -> None:
    """The last line of defence, should a redirect ever be followed."""
    auth = make_key_auth(KEY, "x-api-key", "https://open.eternalai.org/gate")
    for url, given_key in (
        ("https://open.eternalai.org/gate/v2/x", True),
        ("https://open.eternalai.org:443/", True),
        ("http://open.eternalai.org/", False),
        ("https://open.eternalai.org:8443/", False),
        ("https://cdn.eternalai.org/", False),
        ("https://open.eternalai.org.evil.example/", False),
    ):
        sent = next(auth.auth_flow(httpx.Request("GET", url)))
        assert ("x-api-key" in sent.headers) is given_key, url


@pytest.mark.parametrize(
    "hostile", ["..", ".", "../v1/x", "a/b", "a?b=c", "a#b", "//evil.example/x", "a b", "%2e%2e", "http://e/", "é"]
)
async def test_a_request_id_is_one_segment_of_the_path(hostile: str) -> None:
    async with RawServer(PENDING) as server, open_client(server.url) as client:
        await client.poll(hostile)
    target = server.requests[0].split(b" ")[1].decode()
    segment = target.removeprefix("/v2/poll-result/")
    assert unquote(segment) == hostile
    assert segment not in (".", "..")
    assert not set(segment) & set("/?# ")


async def test_a_post_never_reuses_a_connection_and_polls_do() -> None:
    async with RawServer(ACCEPTED) as server, open_client(server.url) as client:
        await client.poll("abc")
        await client.poll("abc")
        assert server.connections == 1
        await client.submit(REQUEST)
        await client.submit(REQUEST)
        assert server.connections == 3


async def test_a_refused_connection_is_certainly_not_sent() -> None:
    async with RawServer(None) as server:
        port = server.port
    async with open_client(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(errors.Unreachable, match="Nothing was sent or charged"):
            await client.submit(REQUEST)


async def test_silence_after_the_post_is_unclear_and_never_sent_again() -> None:
    async with RawServer(None) as server, open_client(server.url, timeouts=SHORT_TIMEOUTS) as client:
        with pytest.raises(errors.ResponseLost, match="may have been charged"):
            await client.submit(REQUEST)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/1.1 200 OK\r\nContent-Len", b"rubbish\r\n\r\n", b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"a" * 200_000, http_response(200, b'{"request_i', {"Content-Length": "400"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)  # fmt: skip
async def test_a_broken_answer_to_a_post_is_unclear(answer: bytes) -> None:
    async with RawServer(answer, close=True) as server, open_client(server.url) as client:
        with pytest.raises(errors.OutcomeUnknown):
            await client.submit(REQUEST)
    assert len(server.requests) == 1


async def test_a_whole_answer_on_a_broken_line_keeps_its_request_id() -> None:
    """The job is paid and its id is here."""
    body = b'{"request_id": "abc"}'
    for headers in ({"Content-Length": "4000"}, {"Transfer-Encoding": "chunked", "Content-Length": None}):
        told = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        sent = body if "Content-Length" in told else b"15\r\n" + body + b"\r\n"
        answer = f"HTTP/1.1 200 OK\r\n{told}\r\n".encode() + sent
        async with RawServer(answer, close=True) as server, open_client(server.url) as client:
            assert (await client.submit(REQUEST)).request_id == "abc"


async def test_a_refusal_is_one_even_if_its_words_do_not_arrive() -> None:
    answer = http_response(402, b"{", {"Content-Length": "4000"})
    async with RawServer(answer, close=True) as server, open_client(server.url) as client:
        with pytest.raises(errors.InsufficientCredits):
            await client.submit(REQUEST)


def _spellings(key: str) -> list[str]:
    escaped, encoded = json.dumps(key)[1:-1], b64encode(key.encode()).decode()
    return [
        *(escaped, escaped.replace("/", "\\/"), "".join(f"\\u{ord(each):04X}" for each in key), escaped.upper()),
        *(json.dumps(escaped)[1:-1], json.dumps(json.dumps(key).replace("/", "\\/")[1:-1])[1:-1]),
        *(quote(key, safe=""), quote(quote(key, safe=""), safe=""), key.encode().hex(), key.encode().hex().upper()),
        *("".join(f"&#{ord(each)};" for each in key), "".join(f"&#x{ord(each):x};" for each in key)),
        *(
            quote(b64encode(before + key.encode() + b":!?").decode(), safe="+/=")
            for before in (b"", b"a", b"ab", b"Bearer ")
        ),
        *(quote(urlsafe_b64encode(key.encode()).decode()), quote(encoded, safe=""), encoded.replace("/", "\\/")),
    ]


@pytest.mark.parametrize(
    "key", [CANARY, 'quoted-"key"-0123', "sk_live/with+slash/0123", "back\\slash-0123", "100%-of-it-&-<more>"]
)
async def test_a_service_that_repeats_the_key_does_not_get_it_shown_or_kept(key: str) -> None:
    r"""Refusals often quote the key."""
    for spelled in _spellings(key):
        body = f'{{"request_id": "abc", "error": "{spelled} is bad", "result_url": "https://cdn.example/?k={spelled}"}}'
        here = {"Location": f"https://other.example/{quote(key)}"}
        for status, header in ((400, {}), (200, {}), (302, here)):
            answer = http_response(status, body.encode(), header)
            async with RawServer(answer) as server, open_client(server.url, Secret(key)) as client:
                told = [
                    await _response_or_error_text(client.poll("abc")),
                    await _response_or_error_text(client.submit(REQUEST)),
                ]
            assert all("hidden" in each for each in told)
            seen = [read for each in told for read in (each, unquote(unquote(each)), html.unescape(each))]
            assert not any(form in each.lower() for each in seen for form in (key.lower(), spelled.lower()))


async def _response_or_error_text(call: Coroutine[None, None, object]) -> str:
    try:
        return repr(await call)
    except errors.ApiError as error:
        return error.full_message


async def test_an_answer_that_drips_ends() -> None:
    """Each byte comes within the read time-out, of a minute."""

    async def drip(_request: bytes) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        while True:
            yield b" "
            await asyncio.sleep(0.02)

    patient = Timeouts(deadline_post=0.4)
    async with RawServer(drip) as server, open_client(server.url, timeouts=patient) as client, asyncio.timeout(40):
        with pytest.raises(errors.ResponseLost):
            await client.submit(REQUEST)


async def test_an_endless_answer_is_cut() -> None:
    for answer in (
        http_response(200, b" " * (MAX_BODY_BYTES + 2)),
        http_response(200, gzip.compress(bytes(MAX_BODY_BYTES * 4), mtime=0), {"Content-Encoding": "gzip"}),
    ):
        async with RawServer(answer) as server, open_client(server.url) as client:
            with pytest.raises(errors.InvalidResponse, match="too large"):
                await client.submit(REQUEST)
    async with RawServer(http_response(500, b"x" * MAX_BODY_BYTES * 2)) as server, open_client(server.url) as client:
        with pytest.raises(errors.ServerError):
            await client.submit(REQUEST)


async def test_cookies_are_never_kept() -> None:
    answer = http_response(200, b"{}", {"Set-Cookie": "track=1; Path=/"})
    async with RawServer(answer) as server, open_client(server.url) as client:
        await client.poll("a")
        await client.poll("a")
    assert not any("cookie" in parse_headers(request) for request in server.requests)


async def test_a_prompt_that_is_no_text_is_not_sent() -> None:
    bad = GenerateRequest(character="1", prompt="\ud800", type="image")
    async with RawServer(ACCEPTED) as server, open_client(server.url) as client:
        with pytest.raises(errors.Unsendable):
            await client.submit(bad)
        with pytest.raises(errors.Unsendable):
            await client.create_character("\ud800")
    assert server.requests == []


async def test_a_closed_client_says_so() -> None:
    async with RawServer(ACCEPTED) as server:
        client = ApiClient(server.url, KEY)
        await client.poll("abc")
        await client.close()
        await client.close()
        with pytest.raises(errors.Unsendable, match="Shutting down"):
            await client.submit(REQUEST)


async def test_cancelling_a_call_cancels_it() -> None:
    async with RawServer(None) as server, open_client(server.url) as client:
        call = asyncio.create_task(client.submit(REQUEST))
        await server.request_received.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


def characters_response(ids: range) -> bytes:
    return http_response(
        200, json.dumps({"result": [{"id": number, "username": f"n{number}"} for number in ids]}).encode()
    )


def answer_page(request: bytes, total: int) -> bytes:
    page = int(request.split(b"page=")[1].split(b"&")[0])
    return characters_response(range((page - 1) * 50, min(page * 50, total)))


@pytest.mark.parametrize(("total", "asked"), [(0, 1), (49, 1), (50, 2), (137, 3), (150, 4)])
async def test_paging_ends_at_a_short_or_empty_page(total: int, asked: int) -> None:
    async with RawServer(partial(answer_page, total=total)) as server, open_client(server.url) as client:
        found = [character.id async for character in client.list_characters()]
    assert found == [str(number) for number in range(total)]
    assert len(server.requests) == asked


async def test_a_page_repeated_for_ever_ends() -> None:
    async with RawServer(characters_response(range(50))) as server, open_client(server.url) as client:
        found = [character.id async for character in client.list_characters()]
    assert len(found) == len(set(found)) == 50
    assert len(server.requests) == 2


async def test_a_traceback_with_variables_does_not_show_the_key() -> None:
    """Textual's crash screen prints local variables."""
    async with RawServer(None) as server, open_client(server.url, timeouts=SHORT_TIMEOUTS) as client:
        with pytest.raises(errors.ResponseLost) as raised:
            await client.submit(REQUEST)
    caught = raised.value
    plain = "".join(traceback.TracebackException.from_exception(caught, capture_locals=True).format())
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(Traceback.from_exception(type(caught), caught, caught.__traceback__, show_locals=True))
    assert CANARY not in plain
    assert CANARY not in console.export_text()
    assert caught.__cause__ is None
    assert caught.__context__ is None


async def test_netrc_is_not_read_and_loopback_takes_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password of ~/.netrc is sent to the API, and no key to a proxy."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password sesame\n")
    netrc.chmod(0o600)
    async with RawServer(PENDING) as server, RawServer(http_response(502)) as proxy:
        for name, value in {"NETRC": str(netrc), "HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url}.items():
            monkeypatch.setenv(name, value)
        async with open_client(server.url) as client:
            assert (await client.poll("abc")).outcome == "alive"
    assert proxy.connections == 0
    assert "authorization" not in parse_headers(server.requests[0])


async def test_a_proxy_sees_a_tunnel_and_never_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is asked to CONNECT, and its refusal is certainly not sent."""
    async with RawServer(http_response(407, b"no"), close=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with open_client("https://service.invalid") as client:
            with pytest.raises(errors.Unreachable, match=r"\(HTTPS_PROXY\) requires a user name and password"):
                await client.submit(REQUEST)
    assert proxy.requests[0].startswith(b"CONNECT service.invalid:443 ")
    assert CANARY.encode() not in b"".join(proxy.requests)


async def test_an_unresolvable_host_is_certainly_not_sent() -> None:
    for host in ("service.invalid", "a" * 64 + ".invalid"):
        async with open_client(f"https://{host}") as client:
            with pytest.raises(errors.RequestNotSent, match="Nothing was sent or charged"):
                await client.submit(REQUEST)

"""The table on which money depends: which failures prove that nothing was sent."""

from __future__ import annotations

import gzip
import ssl
import zlib
from types import SimpleNamespace

import httpx
import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import MAX_BODY_BYTES, SendTracker, is_provably_unsent, transport_error
from eternal_tui.core.http import BodyTooLarge, BoundedDecompressor, UnknownContentEncoding

UNSENT_ERRORS = {
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
    httpx.InvalidURL,
}  # fmt: skip

OUTCOME_UNKNOWN_ERRORS = {
    httpx.HTTPError, httpx.RequestError, httpx.TransportError, httpx.TimeoutException, httpx.ReadTimeout,
    httpx.WriteTimeout, httpx.NetworkError, httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.ProtocolError,
    httpx.LocalProtocolError, httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects,
    httpx.HTTPStatusError, httpx.CookieConflict, httpx.StreamError, httpx.StreamConsumed, httpx.StreamClosed,
    httpx.ResponseNotRead, httpx.RequestNotRead,
}  # fmt: skip

OTHER_ERRORS: set[type[Exception]] = {
    Exception, RuntimeError, ValueError, OSError, TimeoutError, ConnectionResetError, BrokenPipeError, ssl.SSLError,
    MemoryError, AssertionError, zlib.error, UnicodeError,
}  # fmt: skip


def all_httpx_errors() -> set[type[Exception]]:
    return {
        value for name in dir(httpx) if isinstance(value := getattr(httpx, name), type) and issubclass(value, Exception)
    }


def make_error(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("words",)
    return error


def test_the_table_knows_every_error_of_httpx() -> None:
    """A new error class of httpx fails here until its meaning for money is decided."""
    assert all_httpx_errors() == UNSENT_ERRORS | OUTCOME_UNKNOWN_ERRORS
    assert not UNSENT_ERRORS & OUTCOME_UNKNOWN_ERRORS


@pytest.mark.parametrize("kind", sorted(UNSENT_ERRORS | OUTCOME_UNKNOWN_ERRORS | OTHER_ERRORS, key=repr))
def test_only_proof_makes_a_failure_certainly_not_sent(kind: type[Exception]) -> None:
    error = transport_error(make_error(kind), SendTracker(), "host", paid=True)
    assert isinstance(error, errors.RequestNotSent) == (kind in UNSENT_ERRORS)
    assert isinstance(error, errors.OutcomeUnknown) == (kind not in UNSENT_ERRORS)
    assert ("sent or charged" in str(error)) == (kind in UNSENT_ERRORS)
    assert ("may have been charged" in str(error)) == (kind not in UNSENT_ERRORS)


@pytest.mark.parametrize("kind", sorted(UNSENT_ERRORS | OUTCOME_UNKNOWN_ERRORS | OTHER_ERRORS, key=repr))
async def test_nothing_is_certain_once_the_request_began_to_leave(kind: type[Exception]) -> None:
    leaving = SendTracker()
    post = SimpleNamespace(method=b"POST")
    info: dict[str, object] = {}
    await leaving.on_trace_event("connection.connect_tcp.started", info)
    await leaving.on_trace_event("connection.connect_tcp.complete", info)
    await leaving.on_trace_event("http11.send_request_headers.started", {"request": post})
    assert not is_provably_unsent(make_error(kind), leaving)
    await leaving.on_trace_event("connection.connect_tcp.started", info)
    assert not is_provably_unsent(make_error(kind), leaving)


@pytest.mark.parametrize("kind", [TimeoutError, httpx.ReadTimeout, httpx.RemoteProtocolError, UnicodeError])
async def test_a_proxys_connect_is_not_the_request(kind: type[Exception]) -> None:
    """A proxy that goes silent during CONNECT has seen no request."""
    leaving = SendTracker()
    connect, post = SimpleNamespace(method=b"CONNECT"), SimpleNamespace(method=b"POST")
    await leaving.on_trace_event("connection.connect_tcp.started", {"host": "proxy"})
    assert is_provably_unsent(make_error(kind), leaving)
    await leaving.on_trace_event("http11.send_request_headers.started", {"request": connect})
    await leaving.on_trace_event("http11.send_request_headers.complete", {"return_value": None})
    await leaving.on_trace_event("http11.receive_response_headers.started", {"request": connect})
    assert is_provably_unsent(make_error(kind), leaving)
    await leaving.on_trace_event("proxy.start_tls.started", {"server_hostname": "host"})
    assert is_provably_unsent(make_error(kind), leaving)
    await leaving.on_trace_event("http11.send_request_headers.started", {"request": post})
    assert not is_provably_unsent(make_error(kind), leaving)


async def test_events_of_another_httpcore_prove_nothing() -> None:
    """Unknown event names must make failures unclear, never certain."""
    leaving = SendTracker()
    await leaving.on_trace_event("renamed", {})
    await leaving.on_trace_event("http9.depart.begun", {"request": SimpleNamespace(method=b"POST")})
    assert not is_provably_unsent(TimeoutError(), leaving)


def decompress(coding: str, chunks: list[bytes], limit: int = MAX_BODY_BYTES) -> bytes:
    expander = BoundedDecompressor(coding, limit)
    return b"".join(part for chunk in chunks for part in expander.decompress(chunk))


@pytest.mark.parametrize("coding", ["", "identity", "gzip", " GZIP ", "x-gzip", "deflate"])
def test_the_known_codings_are_undone(coding: str) -> None:
    body = b"words " * 1_000
    packed = body if coding in ("", "identity") else zlib.compress(body) if coding == "deflate" else gzip.compress(body)
    assert decompress(coding, [packed[:5], packed[5:]]) == body


def test_a_bomb_is_cut_at_the_limit() -> None:
    """40 MB in 200 kB."""
    bomb = gzip.compress(bytes(40_000_000), compresslevel=1)
    chunks = [bomb[at : at + 65_536] for at in range(0, len(bomb), 65_536)]
    assert len(decompress("gzip", chunks)) == MAX_BODY_BYTES + 1


def test_codings_that_were_not_asked_for_are_refused() -> None:
    for coding in ("br", "zstd", "gzip, gzip", "x" * 1_000):
        with pytest.raises(UnknownContentEncoding):
            BoundedDecompressor(coding, 10)
    with pytest.raises(BodyTooLarge):
        decompress("", [b"x" * 11], limit=10)

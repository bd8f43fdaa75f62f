"""Certificates are always checked, on the way to the key's only destination."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import ApiClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.network import Network
from eternal_tui.core.secret import Secret
from tests.api.raw_server import RawServer, http_response
from tests.certificates import make_certificate

REQUEST = GenerateRequest(character="6870", prompt="x", type="image")
ACCEPTED = http_response(200, b'{"request_id": "abc"}')


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate("localhost", tmp_path_factory.mktemp("tls"))


def server_tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    ("host", "trusted", "problem"),
    [
        ("localhost", True, ""),
        ("localhost", False, "unknown authority.*SSL_CERT_FILE"),
        ("127.0.0.1", True, "rejected"),
    ],
)
async def test_only_a_good_certificate_gets_the_key(certificate: Path, host: str, trusted: bool, problem: str) -> None:
    """Unknown issuer and wrong name."""
    environ = {"SSL_CERT_FILE": str(certificate)} if trusted else {}
    async with (
        RawServer(ACCEPTED, tls=server_tls_context(certificate)) as server,
        ApiClient(f"https://{host}:{server.port}", Secret("canary-key-1"), network=Network(environ)) as client,
    ):
        if not problem:
            assert (await client.submit(REQUEST)).request_id == "abc"
        else:
            with pytest.raises(errors.Unreachable, match=f"connecting to {host}: certificate .*{problem}"):
                await client.submit(REQUEST)
    assert len(server.requests) == (0 if problem else 1)

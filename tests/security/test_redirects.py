"""Where the key goes: to the service's own origin. Every call, every kind of redirect, other origins listening."""

from __future__ import annotations

import logging

import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import EternalClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret
from tests.api.raw_server import RawServer, always, reply

CANARY = "canary-key-0123456789"
STATUSES = (300, 301, 302, 303, 305, 307, 308)
CALLS = ("generate", "poll", "characters", "create")


async def call(client: EternalClient, name: str) -> None:
    match name:
        case "generate":
            await client.generate(GenerateRequest(character="6870", prompt="At sea", type="image"))
        case "poll":
            await client.poll("abc")
        case "characters":
            await client.characters()
        case _:
            await client.create_character("somebody")


@pytest.mark.parametrize("name", CALLS)
async def test_no_redirect_takes_the_key_along(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Seen to fail with redirects followed where the request is sent: the other origin was connected to."""
    caplog.set_level(logging.INFO)
    async with RawServer(always(reply(200, b"{}"))) as other:
        there = f"127.0.0.1:{other.port}"
        locations = (
            f"http://{there}/v2/x", f"http://localhost:{other.port}/v2/x", f"//{there}/v2/x", "/elsewhere", f"https://{there}/",
            f"http://open.eternalai.org@{there}/", "file:///etc/passwd", "http://\x1b[2J\xff/",
        )  # fmt: skip
        for status in STATUSES:
            for location in locations:
                answer = reply(status, b"", {"Location": location, "Refresh": f"0; url={location}"})
                async with RawServer(always(answer)) as server:
                    client = EternalClient(server.url, Secret(CANARY))
                    with pytest.raises(errors.ApiError) as met:
                        await call(client, name)
                    await client.close()
                    assert len(server.requests) == 1
                    assert (CANARY.encode() in server.requests[0]) is (name != "characters")
                assert CANARY not in f"{met.value} {met.value.said} {met.value!r}"
        assert other.connections == 0
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"]
)
async def test_no_variable_switches_certificates_off(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    import ssl

    from eternal_tui.api.client import default_tls

    monkeypatch.setenv(variable, "0" if variable == "PYTHONHTTPSVERIFY" else "/nonexistent")
    default_tls.cache_clear()
    try:
        context = default_tls()
    except OSError:
        return
    finally:
        default_tls.cache_clear()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

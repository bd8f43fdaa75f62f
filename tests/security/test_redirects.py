"""The key is sent to the service's own origin alone: every call, every kind of redirect, other origins listening."""

from __future__ import annotations

import logging
import os
import ssl

import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import ApiClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.network import Network, NetworkSetupError
from eternal_tui.core.secret import Secret
from tests.api.raw_server import RawServer, http_response

CANARY = "canary-key-0123456789"
STATUSES = (300, 301, 302, 303, 305, 307, 308)
CALLS = ("generate", "poll", "characters", "create")


async def call_client(client: ApiClient, name: str) -> None:
    match name:
        case "generate":
            await client.submit(GenerateRequest(character="6870", prompt="At sea", type="image"))
        case "poll":
            await client.poll("abc")
        case "characters":
            await client.get_character_page()
        case _:
            await client.create_character("somebody")


@pytest.mark.parametrize("name", CALLS)
async def test_no_redirect_takes_the_key_along(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with RawServer(http_response(200, b"{}")) as other:
        there = f"127.0.0.1:{other.port}"
        locations = (
            f"http://{there}/v2/x", f"http://localhost:{other.port}/v2/x", f"//{there}/v2/x", "/elsewhere", f"https://{there}/",
            f"http://open.eternalai.org@{there}/", "file:///etc/passwd", "http://\x1b[2J\xff/",
        )  # fmt: skip
        for status in STATUSES:
            for location in locations:
                answer = http_response(status, b"", {"Location": location, "Refresh": f"0; url={location}"})
                async with RawServer(answer) as server:
                    async with ApiClient(server.url, Secret(CANARY)) as client:
                        with pytest.raises(errors.ApiError) as met:
                            await call_client(client, name)
                    assert len(server.requests) == 1
                    assert (CANARY.encode() in server.requests[0]) is (name != "characters")
                assert CANARY not in f"{met.value} {met.value.service_message} {met.value!r}"
        assert other.connections == 0
    assert CANARY not in caplog.text


@pytest.mark.parametrize("variable", ["PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_no_variable_switches_certificates_off(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "0" if variable == "PYTHONHTTPSVERIFY" else "/nonexistent")
    context = Network(os.environ).tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_cannot_be_read_are_not_ignored(variable: str) -> None:
    with pytest.raises(NetworkSetupError, match=variable):
        Network({variable: "/nonexistent"}).tls_context()

"""The client and the sandbox were written apart from one page of documentation: here they meet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from eternal_tui.api import errors
from eternal_tui.api.client import ApiClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.sandbox.client import TINY_SETTINGS

IMAGE = GenerateRequest(character="6870", prompt="At the harbour, morning", type="image")
VIDEO = GenerateRequest(character="6870", prompt="The person waves", type="video", duration=1)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(TINY_SETTINGS) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ApiClient]:
    async with ApiClient(sandbox.api_url, Secret(sandbox.key), now=lambda: 0.0) as found:
        yield found


FAULTS = {
    "lost-answer": "ResponseLost", "drop-before": "ResponseLost", "429": "RateLimited", "500": "ServerError",
    "html-502": "ServerError", "charged-502": "ServerError", "garbage-json": "InvalidResponse",
    "redirect": "Redirected", "hostile-text@post": "RequestRejected", "moderated-403": "RequestRejected",
    "proxy-403": "RequestRejected", "fields-422": "RequestRejected", "detail-422": "RequestRejected",
    "echo-key@post": "KeyRejected", "refused-200@post": "InsufficientCredits", "empty-answer": "InvalidResponse",
    "not-yours@poll": "RequestRejected", "proxy-403@poll": "RequestRejected", "echo-key@poll": "KeyRejected",
    "wrong-id": "InvalidResponse", "empty-answer@poll": "InvalidResponse",
    "failed": "failed", "error-word": "failed", "done-word": "succeeded", "completed-word": "succeeded",
    "unknown-end": "succeeded", "url-without-success": "succeeded", "encrypted": "succeeded encrypted",
    "hostile-text@job": "failed", "null-progress": "succeeded", "cancelled-word": "failed",
    "moderated-word": "failed", "false-status": "failed", "end-word": "alive end",
    "success-without-url": "alive success", "ftp-link": "alive success", "object-link": "alive success",
    "other-link-name": "succeeded", "private-link": "succeeded",
}  # fmt: skip


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
async def test_each_fault_is_told_apart(sandbox: Sandbox, client: ApiClient, fault: str, expected: str) -> None:
    """The error of the submit or of the poll, or what the poll means."""
    kind, _, place = fault.partition("@")
    sandbox.inject(Fault(kind), on=FaultPlace(place) if place else None)
    message = ""
    try:
        answer = await client.submit(IMAGE)
        sandbox.finish(answer.request_id)
        end = await client.poll(answer.request_id)
        outcome = f"{end.outcome} {'encrypted' if end.encrypted else end.ending}".strip()
    except errors.ApiError as error:
        outcome, message = type(error).__name__, error.full_message
    assert outcome == expected
    assert sandbox.key not in message


async def test_a_later_page_that_fails_is_fetched_again(sandbox: Sandbox, client: ApiClient) -> None:
    listing = client.list_characters()
    first = await anext(listing)
    sandbox.inject(Fault.HTML_502, on=FaultPlace.LIST)
    assert len({first.id, *[character.id async for character in listing]}) == 137


async def test_lists_that_do_not_end_or_contradict_themselves(sandbox: Sandbox, client: ApiClient) -> None:
    sandbox.inject(Fault.MINOR_TWICE, times=None)
    listed = [character async for character in client.list_characters()]
    assert {each.id for each in listed if not each.is_adult} == {each.id for each in listed}
    sandbox.heal()
    sandbox.inject(Fault.ENDLESS_LIST, times=None)
    with pytest.raises(errors.ResponseLost, match="does not end"):
        [character async for character in client.list_characters(limit=1)]


async def test_a_refused_newer_key_names_the_setting() -> None:
    async with Sandbox(msgspec.structs.replace(TINY_SETTINGS, key="sk_sandbox-0123")) as sandbox:
        async with ApiClient(sandbox.api_url, Secret(sandbox.key)) as client:
            with pytest.raises(errors.KeyRejected, match='Set key_header = "Authorization"'):
                await client.submit(IMAGE)
        for header in ("Authorization", "api-key"):
            async with ApiClient(sandbox.api_url, Secret(sandbox.key), header=header) as client:
                assert (await client.submit(IMAGE)).request_id

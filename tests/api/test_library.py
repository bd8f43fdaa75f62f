"""The library against the sandbox, as another program uses it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from eternal_tui.api import Client, GenerationFailed, NoResultLink, errors, library
from eternal_tui.api.models import InvalidRequest, PollResponse
from eternal_tui.media.errors import LinkRejected
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.api.raw_server import RawServer, http_response
from tests.sandbox.client import TINY_SETTINGS

MINOR_ID = "6939"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(msgspec.structs.replace(TINY_SETTINGS, speed=1_000.0)) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    # The jobs of this sandbox end at once.
    monkeypatch.setattr(library, "MAX_POLL_SECONDS", 0.5)
    async with Client(sandbox.api_url, api_key=sandbox.key, environ={}) as opened:
        yield opened


@pytest.mark.parametrize("type_", ["image", "video"])
async def test_client_generates_waits_and_downloads(
    client: Client, sandbox: Sandbox, tmp_path: Path, type_: str
) -> None:
    seen: list[PollResponse] = []
    submitted = await client.generate(character=6870, prompt="At the harbour", type=type_)  # type: ignore[arg-type]
    assert submitted.credits_remaining is not None
    finished = await client.wait(submitted.request_id, on_poll=seen.append)
    assert seen[-1] is finished
    file = await client.download(finished.result_url, tmp_path / "results")
    again = await client.download(finished.result_url, tmp_path / "results", name="second")
    assert file.kind == type_
    assert file.path.read_bytes() == again.path.read_bytes()
    assert again.path.stem == "second"
    assert len(sandbox.posts) == 1
    assert sandbox.leaks == []


async def test_characters_are_awaited_or_iterated(client: Client) -> None:
    listed = await client.characters()
    assert listed == [each async for each in client.characters()]
    assert len(listed) == 135
    assert MINOR_ID not in {each.id for each in listed}


async def test_generate_sends_nothing_that_breaks_a_rule(client: Client, sandbox: Sandbox) -> None:
    for character, prompt, duration in (
        (MINOR_ID, "x", None), (f"0{MINOR_ID}", "x", None), ("6870", " ", None), ("6870", "x", 3),
        ("https://h/a.png", "x", None),
    ):  # fmt: skip
        with pytest.raises(InvalidRequest):
            await client.generate(character=character, prompt=prompt, duration=duration)
    assert sandbox.posts == []


async def test_generate_refuses_a_pending_character_until_it_is_approved() -> None:
    statuses = ["approved", "pending", "pending"]

    def respond(request: bytes) -> bytes:
        body = b'{"request_id": "r-1", "status": "pending"}'
        if request.startswith(b"GET"):
            body = b'{"result": [{"id": 7, "age": 30, "status": "%s"}]}' % statuses.pop().encode()
        return http_response(200, body)

    async with RawServer(respond) as server, Client(server.url, api_key="key-of-test", environ={}) as client:
        with pytest.raises(InvalidRequest, match="not approved yet"):
            await client.generate(character="7", prompt="x")
        assert (await client.generate(character="7", prompt="x")).request_id == "r-1"
        assert sum(each.startswith(b"POST") for each in server.requests) == 1


async def test_generate_judges_no_age_where_there_is_no_list(client: Client, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.HTML_502, on=FaultPlace.LIST)
    await client.generate(character="6870", prompt="x")
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault.FAILED, GenerationFailed, "could not follow the prompt"),
        (Fault.MODERATED_WORD, GenerationFailed, "held back by moderation"),
        (Fault.END_WORD, GenerationFailed, "expired"),
        (Fault.SUCCESS_WITHOUT_URL, NoResultLink, "no link"),
        (Fault.FTP_LINK, NoResultLink, "no link"),
        (Fault.STUCK, TimeoutError, ""),
    ],
)
async def test_wait_ends_every_way_a_job_can(
    client: Client, sandbox: Sandbox, fault: Fault, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "GRACE_SECONDS", 0.0)
    sandbox.inject(fault)
    submitted = await client.generate(character="6870", prompt="x")
    with pytest.raises(error) as caught:
        await client.wait(submitted.request_id, timeout=2.0 if fault is Fault.STUCK else 60.0)
    shown = caught.value.full_message if isinstance(caught.value, errors.ApiError) else ""
    assert words in shown


async def test_wait_asks_again_after_trouble_and_gives_up_on_an_unknown_id(
    client: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = await client.generate(character="6870", prompt="x")
    sandbox.inject(Fault.EMPTY_ANSWER, on=FaultPlace.POLL)
    assert (await client.wait(submitted.request_id)).result_url
    monkeypatch.setattr(library, "GRACE_SECONDS", 0.0)
    with pytest.raises(errors.NotFound):
        await client.wait("nothing-of-this-name")


async def test_download_goes_nowhere_private_for_a_public_service(tmp_path: Path) -> None:
    async with Client("https://service.invalid", api_key="canary-key-1", environ={}) as client:
        with pytest.raises(LinkRejected):
            await client.download("https://127.0.0.1./a.jpg", tmp_path)
        with pytest.raises(ValueError, match="no link"):
            await client.download(None, tmp_path)


def test_client_refuses_a_base_url_that_would_show_the_key() -> None:
    for base_url in ("http://service.invalid", "https://h/?key=1", "ftp://h"):
        with pytest.raises(ValueError, match=r"\w"):
            Client(base_url, api_key="canary-key-1")


async def test_readme_example_runs_and_imports_no_textual(sandbox: Sandbox, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (example,) = re.findall(r"(?s)```python\n(.*?eternal_tui\.api.*?)```", (root / "README.md").read_text())
    example = example.replace("Client()", f"Client({sandbox.api_url!r})")
    code = example + "\nimport sys\nassert 'textual' not in sys.modules and 'tinydb' not in sys.modules\n"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code,
        env={"PATH": os.environ["PATH"], "ETERNALAI_API_KEY": sandbox.key, "PYTHONPATH": str(root)},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, trouble = await process.communicate()
    assert process.returncode == 0, trouble.decode()
    assert Path(tmp_path, output.decode().split()[-1]).suffix == ".jpg"
    assert len(sandbox.downloads) == 1

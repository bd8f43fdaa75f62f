"""Starting and stopping: in this process, as a command, and as the demo's child."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import httpx
import msgspec
import pytest

from eternal_tui.sandbox.command import add_arguments, run
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.launch import DemoService, DemoStartError, launch_demo
from eternal_tui.sandbox.pytest_plugin import eternal_sandbox  # noqa: F401
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, VIDEO_BODY, api_client, finish_job, poll, submit


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_starting_and_stopping_leaves_nothing_behind() -> None:
    async with Sandbox(TINY_SETTINGS):
        pass
    before, tasks = open_descriptors(), asyncio.all_tasks()
    for _ in range(10):
        async with Sandbox(TINY_SETTINGS) as sandbox, api_client(sandbox) as api:
            await submit(api)
    assert open_descriptors() == before
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_accepted_just_before_the_stop_is_closed(turns: int) -> None:
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with Sandbox(TINY_SETTINGS) as sandbox:
            url = httpx.URL(sandbox.api_url)
            client = socket.create_connection((url.host, url.port or 0))
            for _ in range(turns):
                await asyncio.sleep(0)
        client.close()
        del sandbox
        gc.collect()
    assert [str(each.message) for each in caught] == []


async def test_stopping_does_not_wait_for_clients() -> None:
    async with asyncio.timeout(60), Sandbox(SandboxSettings(slow_seconds=600)) as sandbox, api_client(sandbox) as api:
        sandbox.inject(Fault.SLOW)
        waiting = asyncio.create_task(submit(api))
        await sandbox.wait_until(lambda: len(sandbox.charged) == 1)
        await sandbox.__aexit__(None, None, None)
        with pytest.raises(httpx.TransportError):
            await waiting


async def test_stopping_gives_up_a_clip_half_way() -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(verify=False) as client:
        async with Sandbox(SandboxSettings(video_size=(960, 1440))) as sandbox, api_client(sandbox) as api:
            link = await finish_job(sandbox, api, VIDEO_BODY | {"duration": 5})
            fetching = asyncio.create_task(client.get(link))
            await sandbox.wait_until(lambda: len(sandbox.downloads) == 1)
        with pytest.raises(httpx.TransportError):
            await fetching
    assert sandbox.state.renderer.render_count == 0


async def test_a_taken_port_is_an_error_and_leaks_nothing() -> None:
    async with Sandbox(TINY_SETTINGS) as sandbox:
        taken = httpx.URL(sandbox.api_url).port or 0
        with pytest.raises(OSError, match="in use"):
            await Sandbox(SandboxSettings(cdn_port=taken)).__aenter__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_one_line_and_stops_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "eternal_tui.sandbox", "--credits", "0", "--fault", "500@list:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert set(ready) == {"api_url", "cdn_url", "key"}
            with httpx.Client(base_url=ready["api_url"], headers={"x-api-key": ready["key"]}, verify=False) as api:
                assert [api.get("/v2/characters").status_code for _ in range(2)] == [500, 200]
                assert api.post("/v2/base/generate", json=IMAGE_BODY).status_code == 402
        finally:
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert ready["api_url"] in err
    assert "Traceback" not in err


def parse_arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    "words", ["--fault nonsense", "--fault stuck@cdn", "--fault 500:150%", "--speed 0", "--speed nan", "--credits nan"]
)
def test_wrong_options_say_why(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parse_arguments(*words.split())) == 2
    assert capsys.readouterr().err.startswith("sandbox: ")


def test_a_taken_port_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(parse_arguments("--port", str(taken.getsockname()[1]))) == 1
    assert "cannot listen" in capsys.readouterr().err


def test_the_faults_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parse_arguments("--fault", "list")) == 0
    assert "url-without-success" in capsys.readouterr().err


def test_the_fixture_of_a_client_s_tests_serves(eternal_sandbox: DemoService) -> None:  # noqa: F811
    with httpx.Client(
        base_url=eternal_sandbox.api_url, headers={"x-api-key": eternal_sandbox.key}, verify=False
    ) as api:
        assert api.post("/v2/base/generate", json=IMAGE_BODY).json()["status"] == "pending"


def test_the_demo_is_a_child_without_keys_in_a_session_of_its_own() -> None:
    environ = dict(os.environ) | {"ETERNALAI_API_KEY": "canary-one", "ETERNAL_AI_API_KEY": "canary-two"}
    with launch_demo(environ=environ) as demo:
        assert os.getsid(demo.process.pid) == demo.process.pid
        seen = Path(f"/proc/{demo.process.pid}/environ")
        assert not seen.exists() or b"canary" not in seen.read_bytes()
    assert demo.process.poll() is not None
    demo.close()


def test_the_demo_ends_when_its_parent_dies() -> None:
    script = (
        "import os, signal\n"
        "from eternal_tui.sandbox.launch import launch_demo\n"
        "demo = launch_demo(environ=os.environ).wait_ready_blocking()\n"
        "print(demo.api_url, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    port = httpx.URL(parent.stdout.strip()).port or 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
    pytest.fail("the demo outlived its parent")


def test_a_demo_that_cannot_start_says_so() -> None:
    demo = launch_demo(environ=os.environ, options=["--fault", "nonsense"])
    with pytest.raises(DemoStartError, match="ended with code 2"):
        demo.wait_ready_blocking()
    assert demo.process.poll() is not None


def test_launching_imports_only_the_standard_library() -> None:
    script = (
        "import sys; import eternal_tui.sandbox.launch; "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('msgspec', 'httpx', 'starlette', 'uvicorn', 'PIL', 'av', 'anyio')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_a_demo_goes_on_where_it_was_left(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, state_file=tmp_path / "sandbox.json")
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        request_id = await submit(api)
        created = (await api.post("/v2/character/create", json={"prompt": "A sailor"})).json()["data"]["id"]
        left = sandbox.credits
    assert (tmp_path / "sandbox.json").stat().st_mode & 0o777 == 0o600
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        assert sandbox.credits == left
        assert (await poll(api, request_id))["status"] == "pending"
        sandbox.finish(request_id)
        async with httpx.AsyncClient(verify=False) as anybody:
            answer = await anybody.get((await poll(api, request_id))["result_url"])
        assert answer.content.startswith(b"\xff\xd8")
        await submit(api, IMAGE_BODY | {"images": [str(created)]})


async def test_a_state_file_that_can_no_longer_be_written_is_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, state_file=tmp_path / "gone" / "sandbox.json")
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        assert [await submit(api), await submit(api)] == sandbox.charged
    assert capsys.readouterr().err == "sandbox: jobs are no longer remembered: No such file or directory.\n"


async def test_a_state_file_of_an_older_version_is_read_and_a_broken_one_ignored(tmp_path: Path) -> None:
    order = {"character": "6870", "prompt": "x", "kind": "image", "duration": 4, "audio": True, "quality": "low"}
    job = {"request_id": "1", "order": order, "created_at": 1.0, "takes": 5.0, "shape": "linear", "faults": ["failed"]}
    text = json.dumps({"credits": "3.50", "jobs": [job], "characters": []})
    settings = msgspec.structs.replace(TINY_SETTINGS, state_file=tmp_path / "sandbox.json")
    for written, credits_left, status in ((text, 3.5, 200), (text[:-2], TINY_SETTINGS.credits, 404)):
        (tmp_path / "sandbox.json").write_text(written)
        async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
            assert sandbox.credits == credits_left
            assert (await api.get("/v2/poll-result/1")).status_code == status

"""The first five minutes: without a key, with one, with a wrong one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest
from textual import events
from textual.pilot import Pilot

from eternal_tui.api.models import GenerateRequest
from eternal_tui.config.credentials import key_file, store_key
from eternal_tui.core.secret import Secret
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from eternal_tui.tui.screens.main import MainScreen
from tests.memory_keyring import MemoryKeyring
from tests.tui.screens.stage import (
    ENVIRON,
    flat_screen_text,
    make_app,
    make_services,
    make_settings,
    open_app,
    open_screen,
    open_services,
    screen_text,
    wait_idle,
    wait_until,
)

KEY = "sk_not_a_real_key_0123456789"


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    """Keep the machine's own keyring out of the tests."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory() -> MemoryKeyring:
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    return backend


async def test_a_pasted_key_is_saved_in_the_keyring_and_never_shown(tmp_path: Path, memory: MemoryKeyring) -> None:
    async with open_services(tmp_path, ENVIRON) as bench, open_screen(ApiKeyScreen(bench)) as (app, pilot):
        await pilot.press("enter")
        assert "Paste the key into the line first." in flat_screen_text(app)
        await pilot.press(*"short", "enter")
        await wait_idle(pilot)
        assert "not a valid API key" in flat_screen_text(app)
        assert (app.results, memory.passwords) == ([], {})
        await pilot.press("ctrl+u")
        app.post_message(events.Paste(f"  {KEY}\n"))
        await pilot.press("ctrl+a", "home", "shift+end", "ctrl+c")
        await wait_idle(pilot)
        assert app.clipboard == ""
        assert KEY not in screen_text(app)
        assert KEY[:5] not in app.export_screenshot()
        await pilot.press("enter")
        await wait_idle(pilot)
        assert await bench.client.has_key()
        (message,) = app.results
        assert message.startswith("Key saved to the system keyring. Keys that begin with sk_ are refused in x-api-key.")
        assert list(memory.passwords.values()) == [KEY]
        assert not key_file(bench.settings).exists()


async def test_the_key_cannot_be_cut_out(tmp_path: Path) -> None:
    async with open_services(tmp_path, ENVIRON) as bench, open_screen(ApiKeyScreen(bench)) as (app, pilot):
        app.post_message(events.Paste(KEY))
        await pilot.press("home", "shift+end", "ctrl+x")
        await wait_idle(pilot)
        assert app.clipboard == ""


async def test_without_a_keyring_only_f3_writes_a_file(tmp_path: Path) -> None:
    async with open_services(tmp_path, ENVIRON) as bench, open_screen(ApiKeyScreen(bench)) as (app, pilot):
        assert "keyring" not in flat_screen_text(app).replace("keyring_", "")
        assert "https://eternalai.org/api" in flat_screen_text(app)
        app.post_message(events.Paste(KEY))
        await pilot.press("enter")
        await wait_idle(pilot)
        assert "No system keyring." in flat_screen_text(app)
        path = key_file(bench.settings)
        assert not path.exists()
        assert app.results == []
        await pilot.press("f3")
        await wait_idle(pilot)
        assert path.read_text() == KEY + "\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "Key saved to" in app.results[0]


@pytest.mark.parametrize("key", [KEY, "short"])
async def test_no_line_for_a_key_where_a_variable_takes_precedence(tmp_path: Path, key: str) -> None:
    async with open_services(tmp_path, {**ENVIRON, "ETERNALAI_API_KEY": key}) as bench:
        await bench.client.has_key()
        async with open_screen(ApiKeyScreen(bench)) as (app, pilot):
            assert "ETERNALAI_API_KEY takes precedence" in flat_screen_text(app)
            assert "save" not in flat_screen_text(app).replace("saved here", "")
            app.post_message(events.Paste(KEY))
            await pilot.press("enter", "ctrl+f", "f3")
            assert not key_file(bench.settings).exists()
            await pilot.press("escape")
            await pilot.pause()
            assert app.results == [None]


async def test_without_a_key_the_app_asks_at_its_start_and_before_it_sends(tmp_path: Path) -> None:
    services = make_services(tmp_path, ENVIRON)
    async with make_app(services).run_test(size=(80, 24), notifications=True) as pilot:
        await _wait_for_key_screen(pilot)
        await pilot.press("escape")
        await wait_idle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
        (await screen.form_pane.mount_form()).load_request(request)
        await pilot.press("ctrl+s")
        await _wait_for_key_screen(pilot)
        assert "No API key" not in screen_text(pilot.app)
        assert list(services.jobs.store.newest_first()) == []
        await pilot.press("f4")
        await pilot.pause()
        assert "eternal-tui --demo" in str(pilot.app._exit_renderables)
    assert pilot.app.return_code == 0


async def test_a_rejected_key_is_asked_for_again_and_the_new_one_is_used(tmp_path: Path) -> None:
    with launch_demo(environ=dict(os.environ)) as demo:
        store_key(Secret("wrong-key-of-old"), make_settings(tmp_path, base_url=demo.api_url), in_file=True)
        services = make_services(tmp_path, ENVIRON, base_url=demo.api_url)
        async with open_app(services, ENVIRON, size=(80, 24)) as (screen, pilot):
            assert pilot.app.screen is screen
            request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
            rejected = await services.jobs.submit(request, SubmitDetails(character_name="Astrid"))
            assert rejected.cause == "key"
            await _wait_for_key_screen(pilot)
            assert "API key rejected" in flat_screen_text(pilot.app)
            pilot.app.post_message(events.Paste(demo.key))
            await pilot.press("f3")
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, ApiKeyScreen))
            accepted = await services.jobs.submit(request, SubmitDetails(character_name="Astrid"))
            assert accepted.request_id


async def _wait_for_key_screen(pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, ApiKeyScreen))
    await pilot.pause()

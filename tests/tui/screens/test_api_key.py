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
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from eternal_tui.tui.screens.main import MainScreen
from tests.memory_keyring import MemoryKeyring
from tests.tui.screens.stage import (
    ENVIRON,
    ENVIRON_WITH_KEY,
    ScreenApp,
    flat_screen_text,
    make_app,
    make_services,
    make_settings,
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


async def test_a_pasted_key_goes_into_the_keyring_and_is_found_again(tmp_path: Path, memory: MemoryKeyring) -> None:
    async with open_services(tmp_path, ENVIRON) as bench:
        app = ScreenApp(ApiKeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            app.post_message(events.Paste(f"  {KEY}\n"))
            await pilot.pause()
            assert KEY not in screen_text(app)
            assert KEY[:5] not in app.export_screenshot()
            await pilot.press("enter")
            await wait_idle(pilot)
        assert await bench.client.has_key()
    (said,) = app.results
    assert said.startswith("Key saved to the system keyring. Keys that begin with sk_ are refused in x-api-key.")

    assert list(memory.passwords.values()) == [KEY]
    assert not key_file(bench.settings).exists()


async def test_without_a_keyring_enter_writes_no_file(tmp_path: Path) -> None:
    async with open_services(tmp_path, ENVIRON) as bench:
        app = ScreenApp(ApiKeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            assert "keyring" not in flat_screen_text(app).replace("keyring_", "")
            assert "https://eternalai.org/api" in flat_screen_text(app)
            app.post_message(events.Paste(KEY))
            await pilot.press("enter")
            await wait_idle(pilot)
            assert "No system keyring." in flat_screen_text(app)
            assert not key_file(bench.settings).exists()
            assert app.results == []
            await pilot.press("f3")
            await wait_idle(pilot)
    path = key_file(bench.settings)
    assert path.read_text() == KEY + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Key saved to" in app.results[0]


async def test_what_is_no_key_is_not_kept(tmp_path: Path, memory: MemoryKeyring) -> None:
    async with open_services(tmp_path, ENVIRON) as bench:
        app = ScreenApp(ApiKeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            await pilot.press("enter")
            assert "Paste the key into the line first." in flat_screen_text(app)
            await pilot.press(*"short", "enter")
            await wait_idle(pilot)
            assert "not a valid API key" in flat_screen_text(app)
            assert app.results == []
    assert memory.passwords == {}


@pytest.mark.parametrize("key", [KEY, "short"])
async def test_no_line_for_a_key_where_a_variable_takes_precedence(tmp_path: Path, key: str) -> None:
    async with open_services(tmp_path, {**ENVIRON, "ETERNALAI_API_KEY": key}) as services:
        await services.client.has_key()
        app = ScreenApp(ApiKeyScreen(services))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            assert "ETERNALAI_API_KEY takes precedence" in flat_screen_text(app)
            assert "save" not in flat_screen_text(app).replace("saved here", "")
            app.post_message(events.Paste(KEY))
            await pilot.press("enter", "ctrl+f", "f3")
            assert not key_file(services.settings).exists()
            await pilot.press("escape")
            await pilot.pause()
            assert app.results == [None]


async def test_the_key_cannot_be_copied_back_out(tmp_path: Path) -> None:
    async with open_services(tmp_path, ENVIRON) as bench:
        app = ScreenApp(ApiKeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            app.post_message(events.Paste(KEY))
            await pilot.press("ctrl+a", "home", "shift+end", "ctrl+c", "ctrl+x")
            await wait_idle(pilot)
            assert app.clipboard == ""


async def test_the_app_asks_for_a_key_at_its_start_and_one_may_look_around_without(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _wait_for_key_screen(app, pilot)
        await pilot.press("escape")
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)


async def test_with_a_key_nobody_is_asked(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, ENVIRON_WITH_KEY), ENVIRON_WITH_KEY)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)


async def test_the_demo_is_named_on_the_way_out(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _wait_for_key_screen(app, pilot)
        await pilot.press("f4")
        await pilot.pause()
        assert "eternal-tui --demo" in str(app._exit_renderables)
    assert app.return_code == 0


async def test_sending_without_a_key_asks_for_one_and_sends_nothing(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _wait_for_key_screen(app, pilot)
        await pilot.press("escape")
        await wait_idle(pilot)
        screen = app.screen
        assert isinstance(screen, MainScreen)
        (await screen.form_pane.mount_form()).load_request(
            GenerateRequest(character="6870", prompt="At the harbour", type="image")
        )
        await pilot.press("ctrl+s")
        await _wait_for_key_screen(app, pilot)
        assert list(app.services.jobs.store.newest_first()) == []


async def test_a_refused_key_is_asked_for_anew_and_the_new_one_is_used(tmp_path: Path) -> None:
    with launch_demo(environ=dict(os.environ)) as demo:
        settings = make_settings(tmp_path, base_url=demo.api_url)
        store_key(Secret("wrong-key-of-old"), settings, in_file=True)
        app = make_app(make_services(tmp_path, ENVIRON, base_url=demo.api_url), ENVIRON)
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
            refused = await app.services.jobs.submit(request, SubmitDetails(character_name="Astrid"))
            assert refused.cause == "key"
            await _wait_for_key_screen(app, pilot)
            assert "API key rejected" in flat_screen_text(app)
            app.post_message(events.Paste(demo.key))
            await pilot.press("f3")
            await wait_until(pilot, lambda: not isinstance(app.screen, ApiKeyScreen))
            taken = await app.services.jobs.submit(request, SubmitDetails(character_name="Astrid"))
            assert taken.request_id


async def _wait_for_key_screen(app: EternalApp, pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: isinstance(app.screen, ApiKeyScreen))
    await pilot.pause()

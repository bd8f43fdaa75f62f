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
from eternal_tui.config.credentials import KeyStore, key_file, store_key
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.core.secret import Secret
from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.screens.api_key import KeyScreen
from eternal_tui.tui.screens.main import WorkbenchScreen
from tests.memory_keyring import MemoryKeyring
from tests.tui.screens.stage import (
    ENVIRON,
    KEYED,
    Stage,
    bench_in,
    bench_of,
    said_on,
    settings_in,
    settle,
    text_of,
    the_app,
    until,
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
    async with bench_of(tmp_path, ENVIRON) as bench:
        app = Stage(KeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            app.post_message(events.Paste(f"  {KEY}\n"))
            await pilot.pause()
            assert KEY not in text_of(app)
            assert KEY[:5] not in app.export_screenshot()
            await pilot.press("enter")
            await settle(pilot)
        assert await bench.connection.has_key()
    assert app.left_with == ["The key is kept in the system keyring. ctrl+n writes a request, ctrl+s sends it."]
    assert list(memory.kept.values()) == [KEY]
    assert not key_file(bench.settings).exists()


async def test_without_a_keyring_enter_writes_no_file(tmp_path: Path) -> None:
    """Seen to fail with the file as a silent way out: only ^f, which names the file, writes it."""
    async with bench_of(tmp_path, ENVIRON) as bench:
        app = Stage(KeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "no system keyring was found" in said_on(app)
            app.post_message(events.Paste(KEY))
            await pilot.press("enter")
            await settle(pilot)
            assert "^f keeps the key in a file" in said_on(app)
            assert not key_file(bench.settings).exists()
            assert app.left_with == []
            await pilot.press("ctrl+f")
            await settle(pilot)
    path = key_file(bench.settings)
    assert path.read_text() == KEY + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "The key is kept in" in app.left_with[0]


async def test_what_is_no_key_is_not_kept(tmp_path: Path, memory: MemoryKeyring) -> None:
    async with bench_of(tmp_path, ENVIRON) as bench:
        app = Stage(KeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press("enter")
            assert "Paste the key into the line first." in said_on(app)
            await pilot.press(*"short", "enter")
            await settle(pilot)
            assert "is no API key" in said_on(app)
            assert app.left_with == []
    assert memory.kept == {}


async def test_a_key_in_a_variable_that_goes_first_is_told(tmp_path: Path, memory: MemoryKeyring) -> None:
    """Seen to fail with the sentence of success, after which every request was still sent with the other key."""
    async with bench_of(tmp_path, KEYED) as bench:
        assert await bench.connection.has_key()
        app = Stage(KeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "comes from ETERNALAI_API_KEY" in said_on(app)
            app.post_message(events.Paste(KEY))
            await pilot.press("enter")
            await settle(pilot)
            assert "But ETERNALAI_API_KEY comes first" in said_on(app)
            assert app.left_with == []
    assert list(memory.kept.values()) == [KEY]


async def test_the_key_cannot_be_copied_back_out(tmp_path: Path) -> None:
    """Seen to fail with the plain line of the toolkit, which copies what it hides."""
    async with bench_of(tmp_path, ENVIRON) as bench:
        app = Stage(KeyScreen(bench))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            app.post_message(events.Paste(KEY))
            await pilot.press("ctrl+a", "home", "shift+end", "ctrl+c", "ctrl+x")
            await settle(pilot)
            assert app.clipboard == ""


async def test_the_app_asks_for_a_key_at_its_start_and_one_may_look_around_without(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until_asked(app, pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, WorkbenchScreen)


async def test_with_a_key_nobody_is_asked(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path, KEYED), KEYED)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, WorkbenchScreen)


async def test_the_demo_is_named_on_the_way_out(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until_asked(app, pilot)
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert "eternal-tui --demo" in str(app._exit_renderables)
    assert app.return_code == 0


async def test_sending_without_a_key_asks_for_one_and_sends_nothing(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path, ENVIRON), ENVIRON)
    async with app.run_test(size=(80, 24)) as pilot:
        await _until_asked(app, pilot)
        await pilot.press("escape")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, WorkbenchScreen)
        await screen.form_pane.take(GenerateRequest(character="6870", prompt="At the harbour", type="image"))
        await pilot.press("ctrl+s")
        await _until_asked(app, pilot)
        assert list(app.bench.desk.listing()) == []


async def test_a_refused_key_is_asked_for_anew_and_the_new_one_is_used(tmp_path: Path) -> None:
    """Seen to fail without looking for the key again: the client went on with the old one."""
    with launch_demo(environ=dict(os.environ)) as demo:
        settings = settings_in(tmp_path, base_url=demo.api_url)
        store_key(Secret("wrong-key-of-old"), KeyStore.FILE, settings)
        app = the_app(bench_in(tmp_path, ENVIRON, base_url=demo.api_url), ENVIRON)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
            refused = await app.bench.desk.submit(request, name=Untrusted("Astrid"))
            assert refused.cause == "key"
            await _until_asked(app, pilot)
            assert "refused the key" in said_on(app)
            app.post_message(events.Paste(demo.key))
            await pilot.press("ctrl+f")
            await until(pilot, lambda: not isinstance(app.screen, KeyScreen))
            taken = await app.bench.desk.submit(request, name=Untrusted("Astrid"))
            assert taken.request_id


async def _until_asked(app: EternalApp, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: isinstance(app.screen, KeyScreen))
    await pilot.pause()

"""An ID that is looked up before it is sent: seen, stopped by Esc, and sent once however often the key is pressed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import DEMO_KEY, SandboxSettings
from eternal_tui.tui.request_form.character_check import CHECK_RUNNING_MESSAGE, CHECK_STOPPED_MESSAGE, CharacterCheck
from eternal_tui.tui.screens.main import MainScreen
from tests.tui.screens.stage import ENVIRON, flat_screen_text, make_app, open_services, wait_until

SMALL = (80, 24)


class PausedCharacterList:
    """A service's list in which the character stands after a page that is held back."""

    def __init__(self) -> None:
        self.resume = asyncio.Event()

    async def __call__(self) -> AsyncIterator[Character]:
        yield Character(id="1", name=UntrustedText("Somebody"), age=24)
        await self.resume.wait()
        yield Character(id="6870", name=UntrustedText("Astrid"), age=24)


async def test_however_often_the_key_is_pressed_while_it_is_looked_up_one_job_is_sent(tmp_path: Path) -> None:
    """Seen to fail without `_pending` and with look-ups side by side: five paid requests for one wish."""
    async with Sandbox(SandboxSettings(image_size=(96, 128))) as sandbox:
        environ = {**ENVIRON, "ETERNALAI_API_KEY": DEMO_KEY}
        async with open_services(tmp_path, environ, base_url=sandbox.api_url) as bench:
            bench.characters._list_characters = listing = PausedCharacterList()
            app = make_app(bench, environ)
            async with app.run_test(size=SMALL, notifications=True) as pilot:
                screen = app.screen
                assert isinstance(screen, MainScreen)
                # Ten seconds pass from each press to the next: far more than a held key takes.
                screen.form_pane._monotonic = itertools.count(step=10).__next__
                await pilot.press("n", *"6870", "tab", *"At sea", "ctrl+s")
                await wait_until(pilot, lambda: "looking the ID up · 1 read esc stops" in flat_screen_text(app))
                await pilot.press("ctrl+s", "ctrl+s")
                await wait_until(pilot, lambda: "this press sent nothing more" in flat_screen_text(app))
                await pilot.press("!", "ctrl+s")
                await wait_until(pilot, lambda: CHECK_RUNNING_MESSAGE in flat_screen_text(app))

                await pilot.press("escape")
                await wait_until(
                    pilot, lambda: CHECK_STOPPED_MESSAGE in flat_screen_text(app) and "^s send" in flat_screen_text(app)
                )
                assert not bench.jobs.store.newest_first()

                await pilot.press("ctrl+s")
                await wait_until(pilot, lambda: "looking the ID up" in flat_screen_text(app))
                await pilot.press("ctrl+s")
                listing.resume.set()
                await wait_until(pilot, lambda: "Sent the request" in flat_screen_text(app))
                assert [job.request.prompt for job in bench.jobs.store.newest_first()] == ["At sea!"]
                assert len(sandbox.posts) == 1


class PausedCatalog:
    """A book that knows nobody until it is let answer."""

    def __init__(self) -> None:
        self.partial: dict[str, object] = {}
        self.release = asyncio.Event()
        self.checked_ids: list[str] = []

    def is_known(self, character_id: str) -> bool:
        return character_id in self.partial

    async def check_allowed(self, character_id: str) -> str:
        self.checked_ids.append(character_id)
        await self.release.wait()
        self.partial[character_id] = None
        return ""


@pytest.fixture
def book() -> PausedCatalog:
    return PausedCatalog()


async def test_one_look_at_a_time_and_what_is_known_does_not_wait(book: PausedCatalog) -> None:
    """Seen to fail with a second look beside the first: both presses were sent."""
    told: list[str] = []
    shown: list[str] = []
    look_up = CharacterCheck(book, show_progress=shown.append, notify_user=told.append)
    book.partial["2"] = None
    first = asyncio.ensure_future(look_up.run(["1", "2", "1"]))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        assert not await look_up.run(["1"])
    assert told == [CHECK_RUNNING_MESSAGE]
    assert await look_up.run(["2"])
    book.release.set()
    assert await first
    assert book.checked_ids == ["1"]
    assert shown == ["looking the ID up · 1 read", ""]
    assert not look_up.cancel()


async def test_it_can_be_stopped_and_begun_again(book: PausedCatalog) -> None:
    told: list[str] = []
    look_up = CharacterCheck(book, show_progress=lambda _: None, notify_user=told.append)
    for _ in range(2):
        looking = asyncio.ensure_future(look_up.run(["1"]))
        await asyncio.sleep(0)
        assert look_up.cancel()
        assert not await looking
    assert told == [CHECK_STOPPED_MESSAGE, CHECK_STOPPED_MESSAGE]

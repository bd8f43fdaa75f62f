"""An ID that is looked up before it is sent: seen, stopped by Esc, and sent once however often the key is pressed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import DEMO_KEY, SandboxSettings
from eternal_tui.tui.request_form.character_check import STILL_LOOKING, STOPPED, LookUp
from eternal_tui.tui.screens.main import WorkbenchScreen
from tests.tui.screens.stage import ENVIRON, bench_of, said_on, the_app, until

SMALL = (80, 24)


class LongList:
    """A service's list in which the character stands after a page that is held back."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self) -> AsyncIterator[Character]:
        yield Character(id="1", name=Untrusted("Somebody"), age=24)
        await self.go_on.wait()
        yield Character(id="6870", name=Untrusted("Astrid"), age=24)


async def test_however_often_the_key_is_pressed_while_it_is_looked_up_one_job_is_sent(tmp_path: Path) -> None:
    """Seen to fail without `_pending` and with look-ups side by side: five paid requests for one wish."""
    async with Sandbox(SandboxSettings(still_size=(96, 128))) as sandbox:
        environ = {**ENVIRON, "ETERNALAI_API_KEY": DEMO_KEY}
        async with bench_of(tmp_path, environ, base_url=sandbox.api_url) as bench:
            bench.book._listing = listing = LongList()
            app = the_app(bench, environ)
            async with app.run_test(size=SMALL, notifications=True) as pilot:
                screen = app.screen
                assert isinstance(screen, WorkbenchScreen)
                # Ten seconds pass from each press to the next: far more than a held key takes.
                screen.form_pane._monotonic = itertools.count(step=10).__next__
                await pilot.press("n", *"6870", "tab", *"At sea", "ctrl+s")
                await until(pilot, lambda: "looking the ID up · 1 read esc stops" in said_on(app))
                await pilot.press("ctrl+s", "ctrl+s")
                await until(pilot, lambda: "this press sent nothing more" in said_on(app))
                await pilot.press("!", "ctrl+s")
                await until(pilot, lambda: STILL_LOOKING in said_on(app))

                await pilot.press("escape")
                await until(pilot, lambda: STOPPED in said_on(app) and "^s send" in said_on(app))
                assert not bench.desk.listing()

                await pilot.press("ctrl+s")
                await until(pilot, lambda: "looking the ID up" in said_on(app))
                await pilot.press("ctrl+s")
                listing.go_on.set()
                await until(pilot, lambda: "Sent the request" in said_on(app))
                assert [job.request.prompt for job in bench.desk.listing()] == ["At sea!"]
                assert len(sandbox.posts) == 1


class Held:
    """A book that knows nobody until it is let answer."""

    def __init__(self) -> None:
        self.heard: dict[str, object] = {}
        self.answer = asyncio.Event()
        self.asked: list[str] = []

    def settled(self, character_id: str) -> bool:
        return character_id in self.heard

    async def vouch(self, character_id: str) -> str:
        self.asked.append(character_id)
        await self.answer.wait()
        self.heard[character_id] = None
        return ""


@pytest.fixture
def book() -> Held:
    return Held()


async def test_one_look_at_a_time_and_what_is_known_does_not_wait(book: Held) -> None:
    """Seen to fail with a second look beside the first: both presses were sent."""
    told: list[str] = []
    shown: list[str] = []
    look_up = LookUp(book, show=shown.append, tell=told.append)
    book.heard["2"] = None
    first = asyncio.ensure_future(look_up.done(["1", "2", "1"]))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        assert not await look_up.done(["1"])
    assert told == [STILL_LOOKING]
    assert await look_up.done(["2"])
    book.answer.set()
    assert await first
    assert book.asked == ["1"]
    assert shown == ["looking the ID up · 1 read", ""]
    assert not look_up.stop()


async def test_it_can_be_stopped_and_begun_again(book: Held) -> None:
    told: list[str] = []
    look_up = LookUp(book, show=lambda _: None, tell=told.append)
    for _ in range(2):
        looking = asyncio.ensure_future(look_up.done(["1"]))
        await asyncio.sleep(0)
        assert look_up.stop()
        assert not await looking
    assert told == [STOPPED, STOPPED]

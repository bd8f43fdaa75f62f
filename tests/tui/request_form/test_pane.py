"""The pane of the form: what it starts from, and a character that is looked up before it is sent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult

from eternal_tui.api.models import Character
from eternal_tui.characters.resolver import CHECK_RUNNING_MESSAGE, CHECK_STOPPED_MESSAGE
from eternal_tui.core.files import write_atomic
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets, PresetStore
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import DEMO_KEY, SandboxSettings
from eternal_tui.tui.request_form.pane import RequestFormPane
from eternal_tui.tui.screens.main import MainScreen
from tests.tui.screens.stage import ENVIRON, flat_screen_text, make_app, open_services, wait_until

PRESET = Draft(prompt="waves", type="video", duration=2)


class PaneApp(App[None]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pane = RequestFormPane(folder, environ={}, monotonic=lambda: 0.0)

    def compose(self) -> ComposeResult:
        yield self.pane


@pytest.mark.parametrize(
    ("left", "started_from"),
    [(None, PRESET), (Draft(), PRESET), (Draft(prompt="half a"), Draft(prompt="half a"))],
    ids=["nothing", "an empty form", "a draft"],
)
async def test_a_form_starts_from_the_draft_or_else_the_default_preset(
    tmp_path: Path, left: Draft | None, started_from: Draft
) -> None:
    PresetStore(tmp_path).save(Presets().with_preset("waving", PRESET).toggle_default("waving"))
    if left is not None:
        write_atomic(tmp_path / "draft.json", msgspec.json.encode(left))
    app = PaneApp(tmp_path)
    async with app.run_test():
        assert (await app.pane.mount_form()).draft == started_from


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
                await wait_until(pilot, lambda: "checking the character · 1 read esc stops" in flat_screen_text(app))
                await pilot.press("ctrl+s", "ctrl+s")
                await wait_until(pilot, lambda: "Nothing more was sent" in flat_screen_text(app))
                await pilot.press("!", "ctrl+s")
                await wait_until(pilot, lambda: CHECK_RUNNING_MESSAGE in flat_screen_text(app))

                await pilot.press("escape")
                await wait_until(
                    pilot, lambda: CHECK_STOPPED_MESSAGE in flat_screen_text(app) and "^s send" in flat_screen_text(app)
                )
                assert not bench.jobs.store.newest_first()

                await pilot.press("ctrl+s")
                await wait_until(pilot, lambda: "checking the character" in flat_screen_text(app))
                await pilot.press("ctrl+s")
                listing.resume.set()
                await wait_until(pilot, lambda: "Sent the request" in flat_screen_text(app))
                assert [job.request.prompt for job in bench.jobs.store.newest_first()] == ["At sea!"]
                assert len(sandbox.posts) == 1

"""Leaving by key: never by accident, never without a word while money is on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import JobState
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.graphics.base import NullGraphics
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.known_characters import write_character_list
from tests.loopback import serve
from tests.tui.screens.stage import ENVIRON_WITH_KEY, make_services, wait_idle


async def test_leaving_asks_while_a_request_is_being_sent(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        arrived.set()
        await reader.read()

    async with serve(never_answers) as port:
        url = f"http://127.0.0.1:{port}"
        write_character_list(tmp_path / "data", url, "6870")
        app = EternalApp(make_services(tmp_path, base_url=url), NullGraphics(), ENVIRON_WITH_KEY)
        async with app.run_test(size=(100, 30)) as pilot:
            await wait_idle(pilot)
            request = GenerateRequest(character="6870", prompt="A boat", type="image")
            sending = asyncio.create_task(app.services.jobs.submit(request))
            await arrived.wait()
            for key in ("q", "ctrl+q"):
                await pilot.press(key)
                await pilot.pause()
                assert isinstance(app.screen, ConfirmDialog), key
                await pilot.press("n")
                await pilot.pause()
        assert (await sending).state is JobState.UNCONFIRMED


async def test_escape_is_one_step_back(tmp_path: Path) -> None:
    """From the form or the detail it goes to the list, and the filter of the list stays."""
    app = EternalApp(make_services(tmp_path), NullGraphics(), ENVIRON_WITH_KEY)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)
        jobs = app.screen.job_pane.job_list
        await pilot.press("slash", *"red", "enter")
        for way in ("n", "3"):
            await pilot.press(way)
            await wait_idle(pilot)
            assert app.focused is not jobs
            await pilot.press("escape")
            await wait_idle(pilot)
            assert app.focused is jobs, way
            assert "red" in jobs.title, way
        await pilot.press("z", "escape")
        await wait_idle(pilot)
        assert "red" in jobs.title, "zoomed"
        await pilot.press("escape")
        await wait_idle(pilot)
        assert "red" not in jobs.title
        await pilot.press("slash", *"red", "escape")
        await wait_idle(pilot)
        assert app.focused is jobs
        assert "red" not in jobs.title, "in the filter line"

"""Leaving by key: never by accident, never without a word while money is on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eternal_tui.api.request import GenerateRequest
from eternal_tui.jobs.job import JobState
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.confirm import Confirm
from eternal_tui.tui.graphics.off import NoGraphics
from tests.tui.screens.stage import KEYED, bench_in, settle


async def test_leaving_asks_while_a_request_is_being_sent(tmp_path: Path) -> None:
    """Seen to fail for ctrl+q with Textual's own quit, which stands before every screen's."""
    arrived = asyncio.Event()

    async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        arrived.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        app = EternalApp(bench_in(tmp_path, base_url=f"http://127.0.0.1:{port}"), NoGraphics(), "", KEYED)
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            request = GenerateRequest(character="6870", prompt="A boat", type="image")
            sending = asyncio.create_task(app.bench.desk.submit(request))
            await arrived.wait()
            for key in ("q", "ctrl+q"):
                await pilot.press(key)
                await pilot.pause()
                assert isinstance(app.screen, Confirm), key
                await pilot.press("n")
                await pilot.pause()
        assert (await sending).state is JobState.UNCONFIRMED

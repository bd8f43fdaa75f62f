"""Notifications never cover what the user acts on, and are shown whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.screens.main import MainScreen
from tests.known_characters import write_character_list
from tests.tui.screens.stage import UNREACHABLE_URL, make_app, open_services, screen_text, wait_until

LONG = SafeText(
    "The daily cap of 5.00 credits is reached: 4.98 were spent today and this would cost about 0.40. Nothing was sent "
    "and nothing was charged. Raise daily_cap in config.toml, or wait for tomorrow."
)
SHORT = SafeText("Sent the request. esc goes to the list.")


async def wait_for_texts(pilot: Pilot[Any], *texts: str) -> None:
    await wait_until(pilot, lambda: all(word in screen_text(pilot.app) for word in texts))


@pytest.mark.parametrize("size", [(60, 20), (140, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_send_line_and_the_foot_of_a_dialog_stay_in_sight(tmp_path: Path, size: tuple[int, int]) -> None:
    """Several at once, the longest one among them, over form, list and dialogs as high as the screen."""
    # Or a service that is not there would be told of too.
    write_character_list(tmp_path / "data", UNREACHABLE_URL, "6870")
    async with open_services(tmp_path) as bench:
        app = make_app(bench)
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = app.screen
            assert isinstance(screen, MainScreen)
            screen.notify_user(LONG, "error")
            await wait_for_texts(pilot, "tomorrow.")
            # A clip has the most fields.
            await pilot.press("n", "tab", "tab", "right")
            await wait_for_texts(pilot, "Duration", "^s send")
            screen.notify_user(SHORT, "warning")
            await wait_for_texts(pilot, "tomorrow.", "price unknown", "^s send", "Count")
            footer = screen_text(app).splitlines()[-1]
            await pilot.press("f1")
            await wait_for_texts(pilot, "tomorrow.", "esc: back")
            assert screen_text(app).count("tomorrow.") == 1
            await pilot.press("escape", "ctrl+t")
            await wait_for_texts(pilot, "tomorrow.", "or a new name")
            assert screen_text(app).splitlines()[-1] == footer
            assert screen_text(app).count("tomorrow.") == 1
            app.clear_notifications()
            await wait_for_texts(pilot, "or a new name")
            await pilot.press("escape")
            await wait_for_texts(pilot, "^s send", "{")
            assert "-less" not in screen.query_one("#body").classes

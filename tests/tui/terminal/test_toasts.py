"""What is said never hides what one is about to act on, and is there whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.screens.main import WorkbenchScreen
from tests.known_characters import know_characters
from tests.tui.screens.stage import NOWHERE, bench_of, text_of, the_app, until

LONG = Shown(
    "The daily cap of 5.00 credits is reached: 4.98 were spent today and this would cost about 0.40. Nothing was sent "
    "and nothing was charged. Raise daily_cap in config.toml, or wait for tomorrow."
)
SHORT = Shown("Sent the request. esc goes to the list.")


async def shows(pilot: Pilot[Any], *words: str) -> None:
    await until(pilot, lambda: all(word in text_of(pilot.app) for word in words))


@pytest.mark.parametrize("size", [(60, 20), (140, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_send_line_and_the_foot_of_a_dialog_stay_in_sight(tmp_path: Path, size: tuple[int, int]) -> None:
    """Several at once, the longest one among them, over form, list and dialogs as high as the screen.

    Seen to fail with a form, and with dialogs, that make no way, with a form opened under what was said before, and
    with margins on what is said: the last line of a long one was cut off. And as it was: under a dialog each stood
    there twice.
    """
    # Or a service that is not there would be told of too.
    know_characters(tmp_path / "data", NOWHERE, "6870")
    async with bench_of(tmp_path) as bench:
        app = the_app(bench)
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = app.screen
            assert isinstance(screen, WorkbenchScreen)
            screen.tell(LONG, "error")
            await shows(pilot, "tomorrow.")
            # A clip has the most fields.
            await pilot.press("n", "tab", "tab", "right")
            await shows(pilot, "Seconds", "^s send")
            screen.tell(SHORT, "warning")
            await shows(pilot, "tomorrow.", "price not known yet", "^s send", "Times")
            await pilot.press("f1")
            await shows(pilot, "tomorrow.", "esc back")
            assert text_of(app).count("tomorrow.") == 1
            await pilot.press("escape", "ctrl+t")
            await shows(pilot, "tomorrow.", "type a name and press")
            assert text_of(app).count("tomorrow.") == 1
            app.clear_notifications()
            await shows(pilot, "type a name and press")
            await pilot.press("escape")
            await shows(pilot, "^s send", "{")
            assert "-less" not in screen.query_one("#body").classes

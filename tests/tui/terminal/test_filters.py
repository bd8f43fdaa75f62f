"""Pictures under the theme without colours, chosen while they are on the screen."""

from __future__ import annotations

from pathlib import Path

from textual.color import Color
from textual.strip import Strip

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.themes import MONO
from tests.tui.screens.stage import ENVIRON_WITH_KEY, make_services


async def test_a_picture_without_colours_is_drawn_in_shades(tmp_path: Path) -> None:
    """Seen to fail without the filter: dark and light cells were the same half-block, so the picture was stripes."""
    dark, light, red = bytes((9, 9, 9)), bytes((250, 250, 250)), bytes((250, 0, 0))
    row: Strip = HalfBlocks(8).render(Frame(3, 2, (dark + light + red) * 2)).strips[0]
    app = EternalApp(make_services(tmp_path), HalfBlocks(8), ENVIRON_WITH_KEY)
    async with app.run_test() as pilot:
        for _ in range(2):
            app.choose_theme(MONO.name)
            await pilot.pause()
            shown = row
            for each in app._filters:
                shown = shown.apply_filter(each, Color(0, 0, 0))
            assert shown.text == " █░"
            assert not any(style and (style.color or style.bgcolor) for _, style, _ in shown)
            app.choose_theme("eternal-dark")
            await pilot.pause()
            assert all("Grey" not in type(each).__name__ for each in app._filters)

"""Terminals without colours or UTF-8."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.strip import Strip

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.terminal.filters import draws_utf8, to_ascii
from eternal_tui.tui.themes import MONO
from tests.tui.screens.stage import ENVIRON_WITH_KEY, make_services


async def test_a_picture_without_colours_is_drawn_in_shades(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, True),
        ({"LANG": ""}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LANG": "C", "LC_CTYPE": "de_DE.utf8"}, True),
    ],
)
def test_the_locale_decides_on_utf8(environ: dict[str, str], *, expected: bool) -> None:
    assert draws_utf8(environ) is expected


def test_ascii_takes_as_many_cells() -> None:
    assert to_ascii("(•) ‹ 1 › ▌★ 港 caf\u00e9 ━╸╌") == "(*) < 1 > >* ?? caf? =-."

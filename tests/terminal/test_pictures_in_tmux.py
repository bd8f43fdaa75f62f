"""Pictures as they stand on a real terminal: the whole app in tmux at 80×24, its screen captured cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from eternal_tui.history.history import History
from eternal_tui.jobs.model import to_record
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK
from tests.media.files import write_video
from tests.terminal.stage import make_environ
from tests.terminal.tmux import PROGRAM, TMUX_CONFIG, Tmux, needs_tmux
from tests.tui.results import saved_job

pytestmark = [pytest.mark.terminal, needs_tmux]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    results = tmp_path / "data" / "results"
    results.parent.mkdir(mode=0o700)
    results.mkdir(mode=0o700)
    halves = Image.new("RGB", (64, 64), (255, 0, 0))
    halves.paste((0, 0, 255), (32, 0, 64, 64))
    halves.save(results / "1.png")
    write_video(results / "2.mp4", frames=48)
    history = History.open(tmp_path / "data", now=lambda: 1_700_000_000.0)
    for name in ("1.png", "2.mp4"):
        history.add(to_record(saved_job(name, created_at=1_700_000_000.0)))
    history.close(compact=True)
    return tmp_path


@pytest.fixture
def tmux(home: Path) -> Iterator[Tmux]:
    # A detached tmux reports to its program that it has lost the focus, and clips do not play then.
    config = TMUX_CONFIG.replace("focus-events on", "focus-events off")
    with Tmux(PROGRAM, {**make_environ(home), "ETERNAL_TUI_IMAGES": "blocks"}, config=config) as tmux:
        tmux.wait_for("saved")
        yield tmux


def half_block_colours(screen: str) -> set[str]:
    """Return every colour that a styled screen draws half-blocks with."""
    found: set[str] = set()
    ink = ground = ""
    for code, text in re.findall(r"\x1b\[([\d;]*)m([^\x1b]*)", screen):
        for kind, colour in re.findall(r"([34])8;2;(\d+;\d+;\d+)", code):
            ink, ground = (colour, ground) if kind == "3" else (ink, colour)
        if UPPER_HALF_BLOCK in text:
            found |= {ink, ground}
    return found


def test_a_picture_a_gallery_and_a_clip(tmux: Tmux) -> None:
    tmux.wait_for(lambda screen: "3 Job 2" in screen and UPPER_HALF_BLOCK * 8 in screen)
    tmux.press("G")
    tmux.wait_for(lambda screen: "image" in screen and UPPER_HALF_BLOCK * 8 in screen)
    tmux.press("Enter")
    tmux.wait_for(lambda screen: UPPER_HALF_BLOCK * 36 in screen and "zoom" in screen)
    assert {"255;0;0", "0;0;255"} <= half_block_colours(tmux.screen(styled=True))
    tmux.press("+", "+", "+", "+", "h", "h", "h", "h", "h")
    tmux.wait_for(lambda _: half_block_colours(tmux.screen(styled=True)) == {"255;0;0"})
    tmux.press("Escape")
    tmux.wait_for("2 Jobs")
    tmux.press("v")
    tmux.wait_for(lambda screen: screen.split("3 Job")[0].count(UPPER_HALF_BLOCK * 12) >= 6)
    tmux.press("g", "Enter")
    tmux.wait_for("0:00 / 0:02 paused")
    tmux.press("]", "]")
    tmux.wait_for(lambda screen: "━" in screen)
    tmux.press("p")
    tmux.wait_for("playing")
    tmux.wait_for("0:02 / 0:02 paused")

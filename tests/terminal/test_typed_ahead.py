"""Keys that arrive in one piece, as those typed ahead on a slow line do, mean what they would have meant one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.tmux import PROGRAM, Tmux, environ_for, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Tmux]:
    with Tmux([*PROGRAM, "--demo"], environ_for(tmp_path)) as terminal:
        terminal.until("Nothing here yet")
        yield terminal


def test_typed_ahead(demo: Tmux) -> None:
    """Seen to fail with keys handled as they come: the r of /red ran the job again, which is a paid request.

    Then, too, the prompt typed behind the Enter that chose the character went into the character's line.
    """
    demo.press("C-n")
    demo.until("opens the list")
    demo.press("Enter")
    demo.until("6873  Elara")
    demo.type("\rIn a red coat\x13")
    demo.until(lambda screen: "1 running" in screen or "1 done" in screen)
    demo.press("Escape")
    demo.until("1 done today")
    demo.type("/red")
    screen = demo.until("/ red")
    assert "2 running" not in screen
    assert "1 done today" in demo.until("1 of 1")
    demo.press("C-q")
    demo.until("gone: 0")

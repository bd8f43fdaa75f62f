"""Keys that arrive in one piece, as those typed ahead on a slow line do, mean what they would have meant one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.tmux import PROGRAM, Tmux, make_environ, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Tmux]:
    with Tmux([*PROGRAM, "--demo", "--empty"], make_environ(tmp_path)) as terminal:
        terminal.wait_for("No jobs yet")
        yield terminal


def test_typed_ahead(demo: Tmux) -> None:
    """Seen to fail with keys handled as they come: the r of /red ran the job again, which is a paid request.

    Then, too, the prompt typed behind the Enter that chose the character went into the character's line.
    """
    demo.press("C-n")
    demo.wait_for("opens the list")
    demo.press("Enter")
    demo.wait_for("6873  Elara")
    demo.type("\rIn a red coat\x13")
    demo.wait_for(lambda screen: "1 running" in screen or "1 done" in screen)
    demo.press("Escape")
    demo.wait_for("1 done today")
    demo.type("/red")
    screen = demo.wait_for("/ red")
    assert "2 running" not in screen
    assert "1 done today" in demo.wait_for("1 of 1")
    demo.press("C-q")
    demo.wait_for("gone: 0")

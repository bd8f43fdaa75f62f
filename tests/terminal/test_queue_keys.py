"""The queue by keys in a real terminal: hold, order, cancel, undo, and the release after a restart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.program import Program, threaded_sandbox
from tests.terminal.tmux import PROGRAM, Tmux, make_environ, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]


def _order(screen: str) -> list[str]:
    """Return the prompts of the list's queued rows, from the top."""
    return re.findall(r"↑ queued   image Astrid (.+?) +~0\.04", screen)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60)], ids=["80x24", "200x60"])
def test_the_queue_is_ordered_cancelled_held_and_released(columns: int, rows: int, tmp_path: Path) -> None:
    with threaded_sandbox() as sandbox:
        program = Program(tmp_path, sandbox.api_url, sandbox.key)
        for _ in range(2):
            assert program.run("generate", "--character", "6870", "--prompt", "Two tell the price", "--wait").code == 0
        for prompt in ("At sea", "In snow", "In rain"):
            assert program.run("generate", "--character", "6870", "--prompt", prompt, "--queue").code == 0
        environ = make_environ(tmp_path, program.environ)
        with Tmux(PROGRAM, environ, columns=columns, rows=rows) as app:
            app.wait_for("3 queued requests held: nothing is sent until H.")
            app.wait_for(lambda screen: "3 queued (held)" in screen and "3 of 3 in the queue" in screen)
            app.type("P")
            app.wait_for("1 of 3 in the queue")
            app.type("J")
            app.wait_for("2 of 3 in the queue")
            app.type("K")
            app.wait_for("1 of 3 in the queue")
            app.type("SSSSS")
            app.wait_for(lambda screen: "queue order" in screen and _order(screen) == ["In rain", "At sea", "In snow"])
            app.type("J")
            app.wait_for(lambda screen: _order(screen) == ["At sea", "In rain", "In snow"])
            app.type("K")
            app.wait_for(lambda screen: _order(screen) == ["In rain", "At sea", "In snow"])
            app.type("Sgjd")
            app.wait_for(lambda screen: "2 queued (held)" in screen and "unsent" in screen)
            app.type("u")
            app.wait_for("3 queued (held)")
            app.type("H")
            app.wait_for("Send 3 queued requests? Costs ~0.12 credits.")
            app.press("Escape")
            app.wait_for(lambda screen: "Send 3 queued" not in screen)
            assert len(sandbox.charged) == 2
            app.type("H")
            app.wait_for("Send 3 queued requests?")
            app.type("y")
            app.wait_for("5 done today")
            sent = [job.request.prompt for job in sandbox.state.jobs.values()]
            assert sent[2:] == ["In rain", "At sea", "In snow"]

            app.type("H")
            app.wait_for("queue held")
            app.type("gr")
            app.wait_for("1 queued (held)")
            app.type("q")
            assert "1 queued request held, not sent." in app.wait_for("modes restored")
        with Tmux(PROGRAM, environ, columns=columns, rows=rows) as app:
            app.wait_for("1 queued (held)")
            app.type("H")
            app.wait_for("Send 1 queued request?")
            assert len(sandbox.charged) == 5
            app.type("y")
            app.wait_for("6 done today")
            app.type("q")
            app.wait_for("modes restored")
        assert len(sandbox.charged) == 6

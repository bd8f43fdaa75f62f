"""Modules and bytes of a start before the first frame: counted, because times hold for one machine only."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.full_history import fill
from tests.terminal.stage import make_environ, start_app

DEFERRED_MODULES = (
    "httpx", "h11", "tinydb", "PIL", "av", "starlette", "uvicorn", "keyring", "textual.widgets._text_area", "numpy",

    "argparse", "hashlib", "_hashlib", "secrets", "tomllib",
    "eternal_tui.api.client", "eternal_tui.media.download.downloader", "eternal_tui.media.download.avatars",
    "eternal_tui.cli.parser", "eternal_tui.media.decode.video",
    "eternal_tui.tui.request_form.form", "eternal_tui.tui.gallery", "eternal_tui.tui.screens.viewer",
)  # fmt: skip

UNUSED_WHEN_IDLE_MODULES = ("httpx", "h11", "tinydb", "PIL", "av", "starlette", "uvicorn", "keyring")
"""Modules that an app without requests and pictures does not load: 30 MB in total."""

MAX_OWN_MODULES = 185
"""Files of this program in a start; 176 when it was counted. Each costs about half a millisecond."""

MAX_STYLE_PASSES = 90
"""Times that styles may be worked out before the first frame; 66 on that day, 153 with each widget styled thrice."""


def test_start(tmp_path: Path) -> None:
    """The first frame has the newest rows and none of the large libraries; all of a start fits a slow line."""
    fill(tmp_path / "data", 200)
    environ = make_environ(tmp_path, FIRST_FRAME=str(tmp_path / "modules"))
    command = (sys.executable, "-m", "tests.terminal.first_frame")
    with start_app(tmp_path, environ, command=command) as terminal:
        terminal.wait_for("Take 200", keep=True)
        first = bytes(terminal.written)
        terminal.read_until_quiet(1.0)
        written = len(terminal.written)
    loaded = (tmp_path / "modules").read_text().split()
    at_rest = (tmp_path / "modules.end").read_text().split()
    assert "textual.app" in loaded
    assert "eternal_tui.tui.request_form.form" in at_rest
    assert [name for name in DEFERRED_MODULES if name in loaded] == []
    assert [name for name in UNUSED_WHEN_IDLE_MODULES if name in at_rest] == []
    assert sum(name.startswith("eternal_tui") for name in loaded) <= MAX_OWN_MODULES
    assert int((tmp_path / "modules.styles").read_text()) <= MAX_STYLE_PASSES
    assert b"Take 199" in first or written < 2 * len(first)
    assert written < 32_000


def test_nothing_moves_by_itself(tmp_path: Path) -> None:
    fill(tmp_path / "data", 5)
    with start_app(tmp_path) as terminal:
        terminal.wait_for("Take 5")
        assert terminal.becomes_idle(3.0)


def test_a_terminal_small_and_large_again_is_drawn_anew(tmp_path: Path) -> None:
    """Textual sees one size where two changes fall into one moment; the terminal has lost what stood outside."""
    fill(tmp_path / "data", 5)
    with start_app(tmp_path) as terminal:
        terminal.wait_for("Take 5")
        terminal.read_until_quiet(0.5)
        terminal.written.clear()
        terminal.resize(40, 12)
        terminal.resize(120, 40)
        terminal.wait_for("Take 1", keep=True)
        terminal.wait_for("Take 5")

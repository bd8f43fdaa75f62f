"""A terminal that nobody reads, as after ctrl+s or behind a dead line, holds up neither polling nor saving."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.history.history import History
from eternal_tui.sandbox.settings import SandboxSettings
from tests.cli.program import threaded_sandbox, wait_until
from tests.terminal.stage import make_environ, record_running_jobs, start_app

SLOW_JOB_SETTINGS = SandboxSettings(seed=7, speed=1.0, image_median_seconds=3600.0, image_size=(96, 128))
KEY_PRESS_COUNT = 400


def test_stalled_link(tmp_path: Path) -> None:
    """Seen to fail with Textual's own writer: not one poll and no file after the 30th write."""
    with threaded_sandbox(SLOW_JOB_SETTINGS) as sandbox:
        record_running_jobs(tmp_path, sandbox.api_url, sandbox.key, 8)
        with start_app(tmp_path, make_environ(tmp_path, sandbox.api_url, sandbox.key)) as terminal:
            terminal.wait_for("At sea, number 7")
            terminal.send(b"jk" * (KEY_PRESS_COUNT // 2))
            before = len(sandbox.polls())
            wait_until(lambda: len(sandbox.polls()) > before + 4)
            sandbox.finish()
            wait_until(lambda: len(sandbox.downloads) == 8)
            wait_until(lambda: _count_saved(tmp_path / "data") == 8)
            # And when somebody reads again, the screen is as it should be, without every frame there could have been.
            terminal.wait_for("8 done today", within=60.0, keep=True)
            assert len(terminal.written) < 150_000


def _count_saved(folder: Path) -> int:
    history = History.open(folder)
    try:
        return sum(record.get("file_state") == "saved" for _, record in history.find_all())
    finally:
        history.close(compact=False)

"""Slow and stalled terminals: output is bounded, text goes before pictures, polling and saving go on."""

from __future__ import annotations

import math
import time
from pathlib import Path

from eternal_tui.history.history import History
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.tui.terminal.flow_control import INITIAL_REMOTE_WINDOW_CHARS, REPLY_TIMEOUT_SECONDS
from eternal_tui.tui.terminal.input_parser import REMOTE_ESCAPE_SECONDS
from tests.benchmarks.full_history import fill
from tests.benchmarks.slow_line import LINK_BYTES, LINK_DELAY, PICTURE, SSH, picture_of
from tests.cli.program import threaded_sandbox, wait_until
from tests.terminal.stage import make_environ, record_running_jobs, start_app

SLOW_JOB_SETTINGS = SandboxSettings(seed=7, speed=1.0, image_median_seconds=3600.0, image_size=(96, 128))
KEY_PRESS_COUNT = 400
NEVER_SECONDS = 1e9
INITIAL_IN_FLIGHT_BYTES = 20_000
"""Bytes on their way: 10 KB of such a line, and as much again where a busy machine takes the answer for lost."""


def max_in_flight_bytes(seconds: float) -> float:
    """Return how many bytes may be on their way after so long: each answer taken for lost lets some more go."""
    return INITIAL_IN_FLIGHT_BYTES + INITIAL_REMOTE_WINDOW_CHARS * (seconds // REPLY_TIMEOUT_SECONDS)


def test_what_is_asked_for_comes_before_the_rest_of_a_picture(tmp_path: Path) -> None:
    fill(tmp_path / "data", 20)
    results = tmp_path / "data" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / PICTURE.replace("000199", "000019")).write_bytes(picture_of(19))
    with start_app(tmp_path, make_environ(tmp_path, **SSH)) as terminal:
        terminal.reply_delay_seconds, terminal.link_bytes_per_second = LINK_DELAY, LINK_BYTES
        terminal.wait_for("Take 20", keep=True)
        terminal.read_for(1.5)
        terminal.send(b"j")
        terminal.read_for(2.0)
        # From here on nothing is known to have arrived.
        terminal.reply_delay_seconds = NEVER_SECONDS
        terminal.written.clear()
        began = time.perf_counter()
        terminal.send(b"\r")
        terminal.wait_for("▀", keep=True)
        terminal.read_until_quiet(0.4, within=1.0)
        terminal.send(b"\x1b")
        terminal.read_until_quiet(REMOTE_ESCAPE_SECONDS + 0.4, within=1.5)
        on_its_way, took = len(terminal.written), time.perf_counter() - began
        # What arrives now is the list, and not the rest of a picture that is no longer on the screen.
        terminal._due_replies = [(time.perf_counter(), answer) for _, answer in terminal._due_replies]
        terminal.reply_delay_seconds, terminal.link_bytes_per_second = 0.0, math.inf
        terminal.written.clear()
        terminal.wait_for("Take 18", keep=True)
        before_the_list = bytes(terminal.written).partition(b"Take 18")[0]
    assert on_its_way < max_in_flight_bytes(took)
    assert len(before_the_list) < 6_000


def test_stalled_link(tmp_path: Path) -> None:
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
            # Read again, the terminal gets the newest screen, not every frame.
            terminal.wait_for("8 done today", within=60.0, keep=True)
            assert len(terminal.written) < 150_000


def _count_saved(folder: Path) -> int:
    history = History.open(folder)
    try:
        return sum(record.get("file_state") == "saved" for _, record in history.find_all())
    finally:
        history.close(compact=False)

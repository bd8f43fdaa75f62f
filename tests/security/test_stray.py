"""Output of the interpreter and libraries that contains untrusted text."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eternal_tui.cli.output import SanitizedStderr
from eternal_tui.core.logging import open_log
from tests.cli.program import Program
from tests.security.hostile import find_unsafe_lines

STRAY_OUTPUT_SCRIPT = r"""
import asyncio, gc, logging, sys, threading, warnings
from eternal_tui.cli.main import run_process

sys.argv = ["eternal-tui", "jobs"]
run_process()
words = "\x1b[2J\x9b31m\x07\u202e https://cdn.example/x?Signature=" + "a" * 64 + " x-api-key: " + KEY

async def failing():
    raise ValueError(f"task {words}")

async def nobody_asks():
    task = asyncio.ensure_future(failing())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()

class Closing:
    def __del__(self):
        raise ValueError(f"destructor {words}")

def in_a_thread():
    raise ValueError(f"thread {words}")

asyncio.run(nobody_asks())
thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()
Closing()
warnings.warn(f"warning {words}")
for name in ("PIL.Image", "httpx", "uvicorn.error", "asyncio", "unheard.of"):
    logging.getLogger(name).error(f"logger {words}")
sys.stderr.write(f"begun {words}")
raise ValueError(f"end {words}")
"""


def test_what_the_interpreter_prints_is_gated_and_holds_no_key(program: Program) -> None:
    """A lost task, a thread, a destructor, a warning, five loggers of others, the end of the process."""
    key = program.environ["ETERNALAI_API_KEY"]
    ran = subprocess.run(
        [sys.executable, "-c", f"KEY = {key!r}\n{STRAY_OUTPUT_SCRIPT}"],
        env=program.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert find_unsafe_lines(ran.stdout) == find_unsafe_lines(ran.stderr) == []
    for speaker in ("task ", "thread ", "destructor ", "warning ", "logger ", "begun ", "end "):
        assert f"{speaker}␛[2J" in ran.stderr, ran.stderr
    assert ran.stderr.count("logger ") == 5
    assert key not in ran.stderr
    assert "aaaaaaaa" not in ran.stderr
    assert "Traceback" not in ran.stderr
    assert 'File "' not in ran.stderr
    assert ran.stderr.count("internal error: ValueError: ") == 4


CHAINED_TRACEBACK = """\
warned of something
Exception in thread Thread-1 (in_a_thread):
Traceback (most recent call last):
  File "/x/y.py", line 3, in z
    w()
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/x/y.py", line 5, in z
    raise ValueError(words)
ValueError: \x1b[2J
and goes on
Exception in thread without one
"""


def test_a_traceback_is_one_line_and_the_log_has_it_whole(tmp_path: Path) -> None:
    shown_lines = io.StringIO()
    stray = SanitizedStderr(shown_lines)
    log = open_log(tmp_path)
    for start in range(0, len(CHAINED_TRACEBACK), 7):
        stray.write(CHAINED_TRACEBACK[start : start + 7])
    stray.flush()
    log.close()
    assert shown_lines.getvalue().splitlines() == [
        "warned of something",
        "eternal-tui: internal error, see log: KeyError: 'a'",
        "eternal-tui: internal error, see log: ValueError: ␛[2J",
        "and goes on",
        "Exception in thread without one",
    ]
    events = [json.loads(line)["event"] for line in Path(log.baseFilename).read_text().splitlines()]
    assert "".join(events).count("/x/y.py") == 2
    assert "Thread-1" in events[0]


def test_the_sandbox_refuses_what_it_cannot_use_in_a_sentence(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ("--fault", "\x1b[2J"),
        ("--fault", "a\x9bb:\x07"),
        ("--fault", "\u202ex@\x1b]0;t\x07"),
        ("--port", "99999"),
        ("--state", "/nowhere/\x1b[2J\u202e.json"),
        ("--state", "/"),
        ("--state", "/dev/null/x"),
    ):
        ran = program.run("sandbox", *arguments)
        assert ran.code == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert find_unsafe_lines(told) == []
        assert find_unsafe_lines(ran.out) == find_unsafe_lines(ran.err) == []

"""The prompt in the person's own editor: a real program in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.terminal.stage import make_environ, start_app
from tests.tui.request_form.form_app import open_form

EDITOR_SCRIPT = """\
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
seen = path.read_text()
report = pathlib.Path(sys.argv[0]).with_name("seen")
report.write_text(repr((seen, oct(path.stat().st_mode), "ETERNALAI_API_KEY" in os.environ, os.isatty(0))))
report.with_name("open").touch()
report.with_name("ticked").read_text()
path.write_text(seen + " and smiles\\n")
"""

APP_SCRIPT = """\
import os, sys
OPEN, TICKED = {folder!r} + "/open", {folder!r} + "/ticked"
sys.path.insert(0, {root!r})
from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.drafts.draft import Draft
from tests.tui.request_form.form_app import FormApp

class Edited(FormApp):
    def on_mount(self):
        super().on_mount()
        self.form.load(Draft(character="6870", prompt="waves"))
        self.set_interval(0.01, self.tick)
        self.call_after_refresh(self.form.action_editor)
    def tick(self):
        if os.path.exists(OPEN):
            for _ in range(100):
                self.bell()
            os.remove(OPEN)
            open(TICKED, "w").close()
        if self.form.draft.prompt != "waves":
            self.exit(self.form.draft.prompt)

app = Edited(environ=environ_without_keys(os.environ))
print("RESULT", app.run())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
def test_the_editor_gets_the_terminal_and_no_key_and_its_text_comes_back(tmp_path: Path) -> None:
    """The editor ends only once the program has ticked on beside it."""
    root = str(Path(__file__).parents[3])
    editor = tmp_path / "editor.py"
    editor.write_text(EDITOR_SCRIPT)
    os.mkfifo(tmp_path / "ticked")
    environ = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "ETERNALAI_API_KEY": "sk-very-secret",
        "EDITOR": f"{sys.executable} {editor}",
    }
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", APP_SCRIPT.format(root=root, folder=str(tmp_path))], environ)
    output = _read_until_exit(terminal, pid)
    assert b"RESULT waves and smiles" in output, output[-2000:]
    assert (tmp_path / "seen").read_text() == repr(("waves", "0o100600", False, True))


def _read_until_exit(terminal: int, pid: int) -> bytes:
    output = b""
    deadline = time.monotonic() + 30
    try:
        while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(terminal, 65_536)
            if not chunk:
                break
            output += chunk
        else:
            os.kill(pid, signal.SIGKILL)
    except OSError:
        # Linux answers EIO once the last process has closed its side.
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return output


async def test_without_an_editor_a_sentence_says_what_to_set() -> None:
    async with open_form(environ={"PATH": "/nowhere"}, drawer=True) as (app, pilot):
        await pilot.press("ctrl+e")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "No editor is set. Set VISUAL or EDITOR" in app.screen_text()


async def test_where_there_is_no_terminal_to_lend_it_is_said() -> None:
    async with open_form(environ={"EDITOR": sys.executable, "PATH": os.environ["PATH"]}, drawer=True) as (app, pilot):
        await pilot.press("ctrl+e")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "cannot be suspended for an editor" in app.screen_text()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ('echo lost > "$1"; exit 3', b"The editor ended with"),
        ('echo lost > "$1"; kill -SEGV $$', b"The editor ended with"),
        ("exit 0", b"The editor returned at once"),
    ],
    ids=["failed", "crashed", "window"],
)
def test_editor_text_is_never_lost(tmp_path: Path, script: str, told: bytes) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    environ = make_environ(tmp_path, EDITOR=str(editor), TMPDIR=str(tmp_path))
    with start_app(tmp_path, environ, columns=160) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"n\tmine")
        terminal.wait_for("mine")
        terminal.send(b"\x05")
        terminal.wait_for(told)
    (kept,) = tmp_path.glob("eternal-tui-*/prompt.txt")
    assert kept.read_text().strip() == ("lost" if "lost" in script else "mine")


@pytest.mark.parametrize(
    ("editor_text", "told"),
    [("#!/bin/sh\nexit 2\n", b"ended with exit code 2"), ("#!/no/such/shell\n", b"Could not edit the prompt")],
    ids=["failed", "cannot run"],
)
def test_the_app_goes_on_after_an_editor_that_failed(tmp_path: Path, editor_text: str, told: bytes) -> None:
    editor = tmp_path / "editor"
    editor.write_text(editor_text)
    editor.chmod(0o700)
    with start_app(tmp_path, make_environ(tmp_path, EDITOR=str(editor), TMPDIR=str(tmp_path))) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"n\tmine")
        terminal.wait_for("mine")
        terminal.send(b"\x05")
        terminal.wait_for(told)
        terminal.send(b"more")
        terminal.wait_for("minemore")
    assert not list(tmp_path.glob("eternal-tui-*"))

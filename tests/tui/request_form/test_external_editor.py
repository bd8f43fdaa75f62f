"""The prompt in the user's editor: a real program in a real terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.terminal.pseudo_terminal import PseudoTerminal
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
path.write_text(seen + " and smiles\\nIn rain\\n")
"""

APP_SCRIPT = """\
import os, sys
OPEN, TICKED = {folder!r} + "/open", {folder!r} + "/ticked"
sys.path.insert(0, {root!r})
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
            self.exit((self.form.draft.prompt, self.form.draft.one_per_line))

app = Edited(environ=os.environ)
print("RESULT", app.run())
"""


def test_the_editor_gets_the_terminal_and_no_key_and_its_text_comes_back(tmp_path: Path) -> None:
    """The editor ends only once the program has ticked on: neither it nor bells stop the event loop."""
    editor = tmp_path / "editor.py"
    editor.write_text(EDITOR_SCRIPT)
    os.mkfifo(tmp_path / "ticked")
    environ = make_environ(tmp_path, ETERNALAI_API_KEY="sk-very-secret", EDITOR=f"{sys.executable} {editor}")
    script = APP_SCRIPT.format(root=str(Path(__file__).parents[3]), folder=str(tmp_path))
    with PseudoTerminal((sys.executable, "-c", script), environ) as terminal:
        terminal.wait_for(r"RESULT ('waves and smiles\nIn rain', True)")
    assert (tmp_path / "seen").read_text() == repr(("waves", "0o100600", False, True))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH": "/nowhere"}, "No editor is set. Set VISUAL or EDITOR"),
        ({"EDITOR": sys.executable, "PATH": os.environ["PATH"]}, "cannot be suspended for an editor"),
    ],
    ids=["no editor", "no terminal"],
)
async def test_what_keeps_an_editor_from_running_is_said(environ: dict[str, str], expected: str) -> None:
    async with open_form(environ=environ, drawer=True) as (app, pilot):
        await pilot.press("ctrl+e")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert expected in app.screen_text()


@pytest.mark.parametrize(
    ("script", "expected", "kept"),
    [
        ('#!/bin/sh\necho lost > "$1"; exit 3', "ended with exit code 3", "lost"),
        ('#!/bin/sh\necho lost > "$1"; kill -SEGV $$', "ended with signal 11", "lost"),
        ("#!/bin/sh\nexit 0", "The editor returned at once", "mine"),
        ("#!/bin/sh\nexit 2", "ended with exit code 2", ""),
        ("#!/no/such/shell", "Could not edit the prompt", ""),
    ],
    ids=["failed", "crashed", "window", "unchanged", "cannot run"],
)
def test_the_app_goes_on_and_text_is_never_lost(tmp_path: Path, script: str, expected: str, kept: str) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"{script}\n")
    editor.chmod(0o700)
    environ = make_environ(tmp_path, EDITOR=str(editor), TMPDIR=str(tmp_path))
    with start_app(tmp_path, environ) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"n\tmine")
        terminal.wait_for("mine")
        terminal.send(b"\x05")
        terminal.wait_for(expected)
        terminal.send(b"more")
        terminal.wait_for("minemore")
    assert [file.read_text().strip() for file in tmp_path.glob("eternal-tui-*/prompt.txt")] == [kept] * bool(kept)

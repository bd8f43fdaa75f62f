"""Which editor is run, and what it gets."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest

from eternal_tui.drafts.draft import MAX_PROMPT_CHARS
from eternal_tui.drafts.editor import EditorNotFound, create_prompt_file, editor_command, read_prompt

PATH = {"PATH": str(Path(sys.executable).parent)}
PYTHON = Path(sys.executable).name


def test_editor_command_prefers_visual_and_splits_options() -> None:
    assert editor_command({**PATH, "VISUAL": f"{PYTHON} -x 'a b'", "EDITOR": "other"}) == [PYTHON, "-x", "a b"]
    assert editor_command({**PATH, "VISUAL": " ", "EDITOR": PYTHON}) == [PYTHON]


@pytest.mark.parametrize("named", [{}, {"EDITOR": ""}, {"EDITOR": "no-such-editor-here"}, {"VISUAL": "'open"}])
def test_editor_command_without_an_editor_raises(named: dict[str, str]) -> None:
    with pytest.raises(EditorNotFound, match=r"VISUAL|EDITOR"):
        editor_command({**PATH, **named})


def test_create_prompt_file_is_private() -> None:
    path = create_prompt_file("héllo\nworld")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_prompt(path) == "héllo\nworld"
    shutil.rmtree(path.parent)


def test_read_prompt_cleans_and_cuts(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_bytes(b"a\x1b[2Jb\xff\r\nc\n\n")
    assert read_prompt(path) == "a[2Jb\N{REPLACEMENT CHARACTER}\nc"
    path.write_bytes("é".encode() * (MAX_PROMPT_CHARS * 3))
    assert len(read_prompt(path)) == MAX_PROMPT_CHARS

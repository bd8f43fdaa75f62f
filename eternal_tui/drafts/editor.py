"""The user's editor, the private file that passes a prompt to it, and files of prompts."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from eternal_tui.core.files import create_private
from eternal_tui.core.sanitize import clean_prompt
from eternal_tui.drafts.draft import MAX_PROMPT_CHARS


class EditorNotFound(Exception):
    """No editor is set, or it cannot be run."""


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the words of VISUAL, else of EDITOR; raise EditorNotFound."""
    variable = next((name for name in ("VISUAL", "EDITOR") if environ.get(name, "").strip()), None)
    if variable is None:
        raise EditorNotFound("No editor is set. Set VISUAL or EDITOR, for example: export EDITOR=nano")
    try:
        words = shlex.split(environ[variable])
    except ValueError:
        words = []
    if not words or shutil.which(words[0], path=environ.get("PATH")) is None:
        raise EditorNotFound(
            f"The editor named by {variable} cannot be found. Set {variable} to one that is installed."
        )
    return words


def create_prompt_file(prompt: str) -> Path:
    """Write the prompt to a 0600 file in a new 0700 folder, which the caller removes."""
    path = Path(tempfile.mkdtemp(prefix="eternal-tui-")) / "prompt.txt"
    with os.fdopen(create_private(path), "w", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(prompt)
    return path


def read_prompt(path: Path) -> str:
    """Return the edited prompt, cleaned, cut to MAX_PROMPT_CHARS and without final newlines; raises OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_PROMPT_CHARS * 4)
    return clean_prompt(data.decode("utf-8", "replace")).rstrip("\n")[:MAX_PROMPT_CHARS]


def prompt_path(prompt: str) -> Path | None:
    """Return the file whose path is the whole prompt, None where there is none.

    A path contains a slash (`./prompts.txt`, `~/prompts.txt`), which distinguishes it from a word.
    """
    text = prompt.strip()
    if "/" not in text or "\n" in text:
        return None
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None

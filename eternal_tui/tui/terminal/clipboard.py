"""Clipboard of this machine through the system's program; used without SSH only."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence

from eternal_tui.config.credentials import environ_without_keys

COPY_TIMEOUT_SECONDS = 2.0
"""Timeout of the clipboard program."""

MAX_CLIPBOARD_BYTES = 4_000_000
"""Most bytes given to the clipboard program: far more than any prompt."""


def clipboard_command(environ: Mapping[str, str], platform: str = sys.platform) -> Sequence[str] | None:
    """Return the command that copies standard input, None where there is none."""
    candidates: list[tuple[bool, Sequence[str]]] = [
        (platform == "darwin", ("pbcopy",)),
        (bool(environ.get("WAYLAND_DISPLAY")), ("wl-copy",)),
        (bool(environ.get("DISPLAY")), ("xclip", "-selection", "clipboard")),
    ]
    for usable, command in candidates:
        if usable and (program := shutil.which(command[0], path=environ.get("PATH"))) is not None:
            return (program, *command[1:])
    return None


async def copy(text: str, command: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Copy the text; tell whether the program succeeded.

    wl-copy and xclip leave a process that serves the clipboard and would keep a pipe for their output open.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_CLIPBOARD_BYTES:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ_without_keys(environ),
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(COPY_TIMEOUT_SECONDS):
            await process.communicate(data)
    except (TimeoutError, OSError):
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode == 0

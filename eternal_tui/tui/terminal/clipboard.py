"""The clipboard of the machine itself, through the program the system has for it; used only where that is one's own."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence

from eternal_tui.config.credentials import environ_without_keys

COPY_TIMEOUT_SECONDS = 2.0
"""How long the clipboard's program may take: it only has to read what it is given."""

MAX_CLIPBOARD_BYTES = 4_000_000
"""Bytes given to the clipboard's program: far above any prompt, far below what would stall a desktop."""


def clipboard_command(environ: Mapping[str, str], platform: str = sys.platform) -> Sequence[str] | None:
    """Return the program and arguments that put standard input on the clipboard, None where there is none."""
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
    """Put the text on the clipboard; tell whether the program took it.

    wl-copy and xclip leave a process behind that serves the clipboard, so their output goes nowhere: a pipe would
    stay open for as long as the text is there to be pasted.
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

"""Clipboard, title and notifications of the user's desktop: by escape codes, or by the system's program."""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
from collections.abc import Mapping, Sequence

from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.core.sanitize import SafeText, sanitize

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


MAX_OSC52_BYTES = 74_994
"""Bytes of text sent by OSC 52: the most that xterm and tmux take, 100,000 bytes of sequence in base64."""

ESC = "\x1b"
ST = "\x1b\\"


def tmux_wrap(sequence: str, environ: Mapping[str, str]) -> str:
    """Return the sequence wrapped so that tmux and screen pass it to the outer terminal."""
    if environ.get("TMUX"):
        return f"{ESC}Ptmux;{sequence.replace(ESC, ESC + ESC)}{ST}"
    if environ.get("TERM", "").startswith("screen"):
        return "".join(f"{ESC}P{sequence[i : i + 700]}{ST}" for i in range(0, len(sequence), 700))
    return sequence


def clipboard_sequence(text: str, environ: Mapping[str, str]) -> str | None:
    """Return the sequence that sets the clipboard of the user's machine, None where `text` is too long.

    tmux copies the plain sequence to its own buffer and passes it on where `set-clipboard` allows; the wrapped one
    reaches the outer terminal where `allow-passthrough` does. Both are sent, for one of them is often off.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_OSC52_BYTES:
        return None
    plain = f"{ESC}]52;c;{base64.b64encode(data).decode()}\x07"
    outer = tmux_wrap(plain, environ)
    return plain if outer == plain else plain + outer


def title_sequence(text: SafeText) -> str:
    """Return the sequence that sets the title."""
    return f"{ESC}]2;{text}\x07"


SAVE_TITLE = f"{ESC}[22;2t"
RESTORE_TITLE = f"{ESC}[23;2t"
"""Push and pop of the title on xterm's stack."""


def notification_sequence(text: str, environ: Mapping[str, str]) -> str:
    """Return the sequence for a desktop notification: OSC 9, and OSC 777 for terminals that know only that."""
    # A leading number and semicolon would make OSC 9 a progress report in some terminals.
    words = sanitize(text, limit=200).replace(";", ",")
    nine = f"{ESC}]9;{words}\x07"
    seven = f"{ESC}]777;notify;eternal-tui;{words}\x07"
    return tmux_wrap(nine, environ) + tmux_wrap(seven, environ)

"""Guard process that restores the terminal when this process is killed or crashes in C."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from contextlib import suppress
from typing import Literal

RESET_SEQUENCE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[<u"
    "\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""Undoes what Textual's driver sets: mouse, paste, wrapping, resize reports, keyboard, screen, cursor, focus."""

_SCRIPT = """\
while read -r changed; do last=$changed; done
case $last in modes|screen) stty "$1" <&1;; esac
case $last in screen) printf %s "$2";; esac
"""

Changed = Literal["nothing", "modes", "screen"]


class TerminalGuard:
    """Shell that waits for the end of this process and restores the modes that `terminal`, a descriptor, has now.

    It takes 1 MB and 2 ms, and has its own session, so that no signal to this process ends it too.
    """

    def __init__(self, terminal: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError, termios.error):
            self._process = subprocess.Popen(  # noqa: S603 - a fixed script
                ["/bin/sh", "-c", _SCRIPT, "sh", _stty_modes(terminal), RESET_SEQUENCE],
                stdin=subprocess.PIPE,
                stdout=terminal,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath},
                start_new_session=True,
            )

    def note(self, changed: Changed) -> None:
        """Notify the shell of what is changed on the terminal now."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                os.write(self._process.stdin.fileno(), f"{changed}\n".encode())


def _stty_modes(terminal: int) -> str:
    """Return the modes in the format of `stty -g` on Linux, `sane` elsewhere."""
    modes = termios.tcgetattr(terminal)
    if not sys.platform.startswith("linux"):
        return "sane"
    characters = [each if isinstance(each, int) else each[0] for each in modes[6]]
    return ":".join(f"{number:x}" for number in [*modes[:4], *characters])

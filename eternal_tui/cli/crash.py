"""What is written when the program meets its own defect: a private report, without values and without the key."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui import __version__

if TYPE_CHECKING:
    from eternal_tui.credentials import Secret

MOST_LINES = 400


def write_report(error: BaseException, folder: Path, environ: Mapping[str, str], *, verb: str) -> Path | None:
    """Write a 0600 report into `folder` and return its path, or None where that is not possible."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = folder / f"crash-{moment}-{os.getpid()}.txt"
    text = report(error, environ, verb=verb)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return path


def report(error: BaseException, environ: Mapping[str, str], *, verb: str) -> str:
    """Return versions and the traceback; local variables are left out and what looks like a secret is hidden."""
    from eternal_tui.logs import Redactor
    from eternal_tui.untrusted import shown

    redactor = Redactor()
    for secret in _secrets(environ):
        redactor.hide(secret)
    lines = [
        f"eternal-tui {__version__}, verb {verb}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *"".join(traceback.format_exception(error)).splitlines()[-MOST_LINES:],
    ]
    return "\n".join(shown(redactor.clean(line)) for line in lines) + "\n"


def _secrets(environ: Mapping[str, str]) -> list[Secret]:
    from eternal_tui.credentials import KEY_VARIABLES, Secret

    return [Secret(text) for name in KEY_VARIABLES if (text := environ.get(name, "").strip())]

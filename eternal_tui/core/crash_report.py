"""What is written when the program meets its own defect: a private report, without values and without the key."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui import __version__
from eternal_tui.core.files import create_private, make_private_dir

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret

MAX_TRACEBACK_LINES = 400


def write_report(error: BaseException, folder: Path, secrets: Iterable[Secret], *, command: str) -> Path | None:
    """Write a 0600 report into `folder` and return its path, or None where that is not possible."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = folder / f"crash-{moment}-{os.getpid()}.txt"
    text = format_report(error, secrets, command=command)
    try:
        make_private_dir(folder)
        with os.fdopen(create_private(path), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return path


def format_report(error: BaseException, secrets: Iterable[Secret], *, command: str) -> str:
    """Return versions and the traceback; local variables are left out and what looks like a secret is hidden."""
    from eternal_tui.core.logging import Redactor
    from eternal_tui.core.sanitize import sanitize

    redactor = Redactor()
    for secret in secrets:
        redactor.add_secret(secret)
    lines = [
        f"eternal-tui {__version__}, verb {command}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *"".join(traceback.format_exception(error)).splitlines()[-MAX_TRACEBACK_LINES:],
    ]
    return "\n".join(sanitize(redactor.redact(line)) for line in lines) + "\n"

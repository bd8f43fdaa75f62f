"""A small private file that is always whole: replaced in one step, readable by its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

READ_LIMIT = 4_000_000
"""Bytes read of such a file: more is not one of ours."""


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by a 0600 file of `data`, whatever the umask; raise OSError and leave the old one on failure."""
    fresh = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def read_private(path: Path) -> bytes | None:
    """Return the file's bytes, None where there is none; raise OSError, or ValueError where it is far too large."""
    try:
        with path.open("rb") as file:
            data = file.read(READ_LIMIT + 1)
    except FileNotFoundError:
        return None
    if len(data) > READ_LIMIT:
        raise ValueError(f"{path.name} is larger than {READ_LIMIT} bytes.")
    return data


def set_aside(path: Path) -> str:
    """Rename a damaged file so that nothing writes over it; return what became of it, in words."""
    aside = path.with_name(f"{path.stem}.damaged-{os.urandom(4).hex()}{path.suffix}")
    try:
        path.rename(aside)
    except OSError as error:
        return f"could not be set aside either: {error.strerror}"
    return f"was kept as {aside.name}"

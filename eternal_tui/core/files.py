"""Folders and files that nobody but their owner can look into, whatever the umask says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FOLDER = 0o700
FILE = 0o600


def make_folder(path: Path) -> None:
    """Make the folder and the missing ones above it, each 0700; those that are there stay as they are."""
    # Asked whole first: of a path that is too long nothing must be made, and each part by itself could be.
    if path.is_dir():
        return
    for one in [*reversed(path.parents), path]:
        if one.is_dir():
            continue
        try:
            one.mkdir(FOLDER)
        except FileExistsError:
            if not one.is_dir():
                raise
            continue
        one.chmod(FOLDER)


def create(path: Path) -> int:
    """Open a new 0600 file for writing and return its handle; what stands there, a link too, raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags, FILE)
    os.fchmod(handle, FILE)
    return handle


def tighten(path: Path) -> None:
    """Take a file away from others where they have it; what is no plain file of ours is left alone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        facts = os.fstat(handle)
        if stat.S_ISREG(facts.st_mode) and facts.st_mode & 0o077 and facts.st_uid == os.geteuid():
            os.fchmod(handle, FILE)
    finally:
        os.close(handle)


def open_to_others(path: Path) -> bool:
    """Tell whether anybody but the owner may look into it; False where it is not there."""
    try:
        return bool(path.lstat().st_mode & 0o077)
    except OSError:
        return False

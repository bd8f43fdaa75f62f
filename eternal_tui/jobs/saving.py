"""Copying a verified file to where a person wants it: nothing is overwritten, no link followed, nothing half left."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from eternal_tui.jobs.save_name import numbered

MOST_COPIES = 999
BLOCK = 1 << 20


def copy_to(source: Path, target: Path) -> Path:
    """Copy the file to `target`, or to `target` with -2, -3 … where that name is taken, and return where it is.

    The copy is as readable as the person's umask makes new files. Raises OSError; nothing is then left behind.
    """
    # Without O_NONBLOCK a pipe in the file's place would be waited for.
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as original:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file any more", str(source))
        for number in range(1, MOST_COPIES + 1):
            path = numbered(target, number)
            try:
                # "x" neither replaces a file nor goes through a link that stands there, even a dangling one.
                copy = path.open("xb")
            except FileExistsError:
                continue
            try:
                with copy:
                    while block := original.read(BLOCK):
                        copy.write(block)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return path
    raise FileExistsError(errno.EEXIST, "there are too many files of that name", str(target))

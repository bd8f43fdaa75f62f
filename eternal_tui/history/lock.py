"""The one lock all instances of the program share: a sidecar file that is never replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eternal_tui.history.errors import HistoryLockUnavailable
from eternal_tui.history.filesystem import PRIVATE_FILE, Files

PATIENCE = 10.0
"""Seconds to wait for the lock. It is held for one append or one rename, so a longer wait means a holder
that was stopped, as with ctrl+z in the middle of a write."""


class FolderLock:
    """An flock between processes and a mutex between threads, taken together; it may be taken again inside.

    flock belongs to the open file, so the descriptor is never shared with a child and the file is opened
    nowhere else.
    """

    def __init__(self, files: Files, path: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._files = files
        self._path = path
        self._pause = pause
        self._mutex = threading.RLock()
        self._depth = 0
        self._fd = self._open()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block.

        Raises:
            HistoryLockUnavailable: Another process kept it for `PATIENCE` seconds.
        """
        with self._mutex:
            if self._depth == 0:
                self._take()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._files.unlock(self._fd)

    @contextmanager
    def among_threads(self) -> Iterator[None]:
        """Keep the other threads of this process out, not the other processes."""
        with self._mutex:
            yield

    def close(self) -> None:
        """Give up the lock file."""
        with self._mutex:
            if self._fd >= 0:
                self._files.close(self._fd)
                self._fd = -1

    def _open(self) -> int:
        fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT)
        self._files.chmod(fd, PRIVATE_FILE)
        return fd

    def _take(self) -> None:
        waited, pause = 0.0, 0.0005
        while True:
            if self._files.lock(self._fd):
                if self._files.fstat(self._fd).st_ino == self._files.stat(self._path).st_ino:
                    return
                # Somebody removed the file and another process locks its successor.
                self._files.close(self._fd)
                self._fd = self._open()
                continue
            if waited >= PATIENCE:
                raise HistoryLockUnavailable(
                    f"Another eternal-tui has held the history for {PATIENCE:.0f} s. If it is suspended, "
                    "resume or end it."
                )
            self._pause(pause)
            waited += pause
            pause = min(pause * 1.5, 0.02)

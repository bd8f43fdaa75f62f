"""Locks between processes: one for the data folder, and one per running instance."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from eternal_tui.history.errors import HistoryError, LockUnavailableError, translate_oserror
from eternal_tui.history.filesystem import PRIVATE_FILE_MODE, FileSystem, write_all

LOCK_TIMEOUT_SECONDS = 10.0
"""Seconds to wait for the lock. It is held for one append or one rename; a longer wait means that its holder is
suspended."""


class FolderLock:
    """An flock between processes and a `mutex` between threads, taken together by `hold`; reentrant.

    Its file is never replaced. flock belongs to the open file: the descriptor is not inherited, and no other code
    opens the file.
    """

    def __init__(self, fs: FileSystem, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._fs = fs
        self._path = path
        self._sleep = sleep
        self.mutex = threading.RLock()
        self._depth = 0
        self._fd = self._open()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock for the block.

        Raises:
            LockUnavailableError: Another process held it for `LOCK_TIMEOUT_SECONDS`.
        """
        with self.mutex:
            if self._depth == 0:
                self._acquire_flock()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._fs.unlock(self._fd)

    def close(self) -> None:
        """Close the lock file."""
        with self.mutex:
            if self._fd >= 0:
                self._fs.close(self._fd)
                self._fd = -1

    def _open(self) -> int:
        fd = self._fs.open(self._path, os.O_RDWR | os.O_CREAT)
        self._fs.chmod(fd, PRIVATE_FILE_MODE)
        return fd

    def _acquire_flock(self) -> None:
        waited, pause = 0.0, 0.0005
        while True:
            if self._fs.try_lock(self._fd):
                if self._fs.fstat(self._fd).st_ino == self._fs.stat(self._path).st_ino:
                    return
                # The file was removed, and another process locks its successor.
                self._fs.close(self._fd)
                self._fd = self._open()
                continue
            if waited >= LOCK_TIMEOUT_SECONDS:
                raise LockUnavailableError(
                    f"Another eternal-tui has held the history for {LOCK_TIMEOUT_SECONDS:.0f} s. If it is suspended, "
                    "resume or end it."
                )
            self._sleep(pause)
            waited += pause
            pause = min(pause * 1.5, 0.02)


_INSTANCE_ID_PATTERN = r"[0-9a-f]{8}"


class InstanceLock:
    """One running process: alive while it holds the lock of its file in ``instances/``.

    The kernel releases the lock when the process ends, however it ends.
    """

    def __init__(self, fs: FileSystem, folder: Path, instance_id: str, info: bytes) -> None:
        self.id = instance_id
        self._fs = fs
        self._folder = folder
        self._info = info
        self._fd = -1

    @classmethod
    def acquire(cls, folder: Path, now: Callable[[], float]) -> Self:
        """Register this process in the data folder; its id and the time are recorded in the file."""
        info = msgspec.json.encode({"pid": os.getpid(), "started": now()})
        instance = cls(FileSystem(), folder / "instances", os.urandom(4).hex(), info)
        instance.reacquire()
        return instance

    @classmethod
    def observer(cls, folder: Path) -> Self:
        """Return an instance that is never alive itself, to query others in the data folder."""
        return cls(FileSystem(), folder / "instances", "", b"")

    def is_alive(self, instance_id: str) -> bool:
        """Whether the instance is running; the file of a dead one is removed."""
        if not re.fullmatch(_INSTANCE_ID_PATTERN, instance_id):
            return False
        if instance_id == self.id:
            return self._fd >= 0
        path = self._folder / instance_id
        with translate_oserror("checking other instances"):
            try:
                fd = self._fs.open(path, os.O_RDWR)
            except FileNotFoundError:
                return False
            with self._fs.closing(fd):
                if not self._fs.try_lock(fd):
                    return True
                self._fs.unlink(path)
                return False

    def release(self) -> None:
        """Release the lock, as before a suspend: other instances may take over at once."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with translate_oserror("leaving the data folder"), self._fs.closing(fd):
            self._fs.unlink(self._folder / self.id)

    def reacquire(self) -> None:
        """Take the lock again under the same id; jobs owned before may belong to others now."""
        if self._fd >= 0:
            return
        path = self._folder / self.id
        unnamed = self._folder / f"{self.id}.new"
        with translate_oserror("joining the data folder"):
            self._fs.make_dir(self._folder)
            fd = self._fs.create(unnamed)
            try:
                # Locked before it gets its name: no other process can see it unlocked.
                if not self._fs.try_lock(fd):
                    raise HistoryError("Another process locked this instance's own file. Restart.")
                write_all(self._fs, fd, self._info, 0)
                self._fs.replace(unnamed, path)
            except BaseException:
                self._fs.unlink(unnamed)
                self._fs.close(fd)
                raise
            self._fd = fd

"""The one lock all instances of the program share: a sidecar file that is never replaced."""

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
"""Seconds to wait for the lock. It is held for one append or one rename, so a longer wait means a holder
that was stopped, as with ctrl+z in the middle of a write."""


class FolderLock:
    """An flock between processes and a mutex between threads, taken together; it may be taken again inside.

    flock belongs to the open file, so the descriptor is never shared with a child and the file is opened
    nowhere else.
    """

    def __init__(self, fs: FileSystem, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._fs = fs
        self._path = path
        self._sleep = sleep
        self._mutex = threading.RLock()
        self._depth = 0
        self._fd = self._open()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock for the block.

        Raises:
            LockUnavailableError: Another process kept it for `LOCK_TIMEOUT_SECONDS` seconds.
        """
        with self._mutex:
            if self._depth == 0:
                self._acquire_flock()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._fs.unlock(self._fd)

    @contextmanager
    def hold_in_process(self) -> Iterator[None]:
        """Keep the other threads of this process out, not the other processes."""
        with self._mutex:
            yield

    def close(self) -> None:
        """Give up the lock file."""
        with self._mutex:
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
                # Somebody removed the file and another process locks its successor.
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
    """One running program, alive as long as it holds the lock of its file in ``instances/``.

    The kernel gives the lock back when the process ends, however it ends.
    """

    def __init__(self, fs: FileSystem, folder: Path, instance_id: str, info: bytes) -> None:
        self.id = instance_id
        self._fs = fs
        self._folder = folder
        self._info = info
        self._fd = -1

    @classmethod
    def acquire(
        cls,
        folder: Path,
        now: Callable[[], float],
        pid: int,
        *,
        fs: FileSystem | None = None,
        instance_id: str | None = None,
    ) -> Self:
        """Announce this process in the data folder.

        Args:
            folder: The data folder.
            now: Seconds since the epoch; only noted for people who look into the file.
            pid: The process id, noted likewise.
            fs: The file system, replaced in tests.
            instance_id: Eight hex digits; random by default.
        """
        facts = msgspec.json.encode({"pid": pid, "started": now()})
        instance = cls(fs or FileSystem(), folder / "instances", instance_id or os.urandom(4).hex(), facts)
        instance.reacquire()
        return instance

    @classmethod
    def observer(cls, folder: Path) -> Self:
        """Return an instance that is never alive itself, to ask about others in the data folder."""
        return cls(FileSystem(), folder / "instances", "", b"")

    def is_alive(self, instance_id: str) -> bool:
        """Whether the instance still runs; the file of one that does not is removed."""
        if not re.fullmatch(_INSTANCE_ID_PATTERN, instance_id):
            return False
        if instance_id == self.id:
            return self._fd >= 0
        path = self._folder / instance_id
        with translate_oserror("looking for other instances"):
            try:
                fd = self._fs.open(path, os.O_RDWR)
            except FileNotFoundError:
                return False
            try:
                if not self._fs.try_lock(fd):
                    return True
                self._fs.unlink(path)
                return False
            finally:
                self._fs.close(fd)

    def release(self) -> None:
        """Stop being alive, as before a suspend: others may take over at once."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with translate_oserror("leaving the data folder"):
            try:
                self._fs.unlink(self._folder / self.id)
            finally:
                self._fs.close(fd)

    def reacquire(self) -> None:
        """Be alive again under the same id; what was claimed before may belong to others now."""
        if self._fd >= 0:
            return
        path = self._folder / self.id
        arriving = self._folder / f"{self.id}.new"
        with translate_oserror("joining the data folder"):
            self._fs.make_dir(self._folder)
            fd = self._fs.create(arriving)
            try:
                # Locked before it has its name: nobody can find it unlocked and take it for dead.
                if not self._fs.try_lock(fd):
                    raise HistoryError("Another process locked this instance's own file. Start again.")
                write_all(self._fs, fd, self._info, 0)
                self._fs.replace(arriving, path)
            except BaseException:
                self._fs.unlink(arriving)
                self._fs.close(fd)
                raise
            self._fd = fd

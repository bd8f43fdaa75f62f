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

from eternal_tui.history.errors import HistoryError, HistoryLockUnavailable, explained
from eternal_tui.history.filesystem import PRIVATE_FILE, Files, write_all

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


_ID = r"[0-9a-f]{8}"


class Instance:
    """One running program, alive as long as it holds the lock of its file in ``instances/``.

    The kernel gives the lock back when the process ends, however it ends.
    """

    def __init__(self, files: Files, folder: Path, instance_id: str, facts: bytes) -> None:
        self.id = instance_id
        self._files = files
        self._folder = folder
        self._facts = facts
        self._fd = -1

    @classmethod
    def acquire(
        cls,
        folder: Path,
        now: Callable[[], float],
        pid: int,
        *,
        files: Files | None = None,
        instance_id: str | None = None,
    ) -> Self:
        """Announce this process in the data folder.

        Args:
            folder: The data folder.
            now: Seconds since the epoch; only noted for people who look into the file.
            pid: The process id, noted likewise.
            files: The file system, replaced in tests.
            instance_id: Eight hex digits; random by default.
        """
        facts = msgspec.json.encode({"pid": pid, "started": now()})
        instance = cls(files or Files(), folder / "instances", instance_id or os.urandom(4).hex(), facts)
        instance.reacquire()
        return instance

    def alive(self, instance_id: str) -> bool:
        """Whether the instance still runs; the file of one that does not is removed."""
        if not re.fullmatch(_ID, instance_id):
            return False
        if instance_id == self.id:
            return self._fd >= 0
        path = self._folder / instance_id
        with explained("looking for other instances"):
            try:
                fd = self._files.open(path, os.O_RDWR)
            except FileNotFoundError:
                return False
            try:
                if not self._files.lock(fd):
                    return True
                self._files.unlink(path)
                return False
            finally:
                self._files.close(fd)

    def release(self) -> None:
        """Stop being alive, as before a suspend: others may take over at once."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with explained("leaving the data folder"):
            try:
                self._files.unlink(self._folder / self.id)
            finally:
                self._files.close(fd)

    def reacquire(self) -> None:
        """Be alive again under the same id; what was claimed before may belong to others now."""
        if self._fd >= 0:
            return
        path = self._folder / self.id
        arriving = self._folder / f"{self.id}.new"
        with explained("joining the data folder"):
            self._files.make_folder(self._folder)
            fd = self._files.create(arriving)
            try:
                # Locked before it has its name: nobody can find it unlocked and take it for dead.
                if not self._files.lock(fd):
                    raise HistoryError("Another process locked this instance's own file. Start again.")
                write_all(self._files, fd, self._facts, 0)
                self._files.replace(arriving, path)
            except BaseException:
                self._files.unlink(arriving)
                self._files.close(fd)
                raise
            self._fd = fd

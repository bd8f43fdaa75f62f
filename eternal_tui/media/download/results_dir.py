"""The results folder: private, never followed out of, never overwritten.

Every step goes through one open directory handle, so swapping it for a link half way gains nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from eternal_tui.media.errors import BrokenFile, DiskFull, FolderUnusable

PART_SUFFIX = ".part"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_MOST_COPIES = 99


def check_name(name: str) -> str:
    """Return `name` if a file may be called so: our own job id text; raises ValueError for anything else."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("a result is named by its job id: letters, digits, - and _ only")
    return name


@contextmanager
def said(doing: str) -> Iterator[None]:
    """Turn an operating system error into DiskFull or FolderUnusable."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull("the disk is full") from error
        raise FolderUnusable(f"cannot be used ({doing}: {error.strerror or 'unknown error'})") from error


def sha256_of(file: FileIO | BufferedReader) -> str:
    """Return the hex digest of a file from its start."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


class Part:
    """A download under way: a random name, mode 0600, opened once and written through that handle."""

    def __init__(self, folder: ResultsFolder, name: str, file: FileIO) -> None:
        self._folder = folder
        self.name = name
        self.file = file
        self.received = 0

    def write(self, data: bytes) -> None:
        """Append `data`; raises DiskFull."""
        left = memoryview(data)
        with said("writing"):
            while left:
                left = left[self.file.write(left) :]
        self.received += len(data)

    def start_over(self) -> None:
        """Empty the file."""
        with said("writing"):
            self.file.seek(0)
            self.file.truncate()
        self.received = 0

    def flush_to_disk(self) -> None:
        """Return once every byte is on the disk."""
        with said("writing"):
            os.fsync(self.file.fileno())

    def discard(self) -> None:
        """Close and remove the file; one that is gone already is fine."""
        self.file.close()
        self._folder.remove(self.name)


class ResultsFolder:
    """The open results folder, made with mode 0700 where it is missing; raises FolderUnusable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with said("opening"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists() and not path.is_symlink():
                path.mkdir(mode=0o700, exist_ok=True)
                path.chmod(0o700)
        self._handle = self._open()

    def _open(self) -> int:
        if self.path.is_symlink():
            raise FolderUnusable("is a symbolic link, which is never followed")
        with said("opening"):
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if stat.S_IMODE(found.st_mode) != 0o700:
                with said("making it private"):
                    os.fchmod(handle, 0o700)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; closing twice is fine."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def free_bytes(self) -> int:
        """Return the room an ordinary user has left on this disk."""
        with said("asking for free space"):
            found = os.fstatvfs(self._handle)
        return found.f_bavail * found.f_frsize

    def new_part(self) -> Part:
        """Open a fresh part file under a random name that nothing else can have."""
        name = f".{secrets.token_hex(16)}{PART_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with said("creating a file"):
            handle = os.open(name, flags, 0o600, dir_fd=self._handle)
            os.fchmod(handle, 0o600)
        return Part(self, name, FileIO(handle, "r+"))

    def remove(self, name: str) -> None:
        """Remove one file of this folder; one that is gone already is fine."""
        try:
            os.unlink(name, dir_fd=self._handle)
        except FileNotFoundError:
            return
        except OSError as error:
            raise FolderUnusable(f"cannot be used (removing: {error.strerror})") from error

    def publish(self, part: Part, name: str, suffix: str, sha256: str) -> Path:
        """Give a finished part its final name and return it; an existing file is never replaced.

        A file of the same content that stands there already is kept and its path returned; another one's
        name is left alone and `-2`, `-3` … is taken.
        """
        for copy in range(1, _MOST_COPIES + 1):
            final = f"{name}.{suffix}" if copy == 1 else f"{name}-{copy}.{suffix}"
            if self._claim(part.name, final) or self._holds(final, sha256):
                self.remove(part.name)
                with said("writing"):
                    os.fsync(self._handle)
                return self.path / final
        raise BrokenFile(f"{_MOST_COPIES} different files of this job are kept already")

    def _claim(self, part: str, final: str) -> bool:
        try:
            os.link(part, final, src_dir_fd=self._handle, dst_dir_fd=self._handle, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                with said("naming a file"):
                    raise
            return self._claim_without_links(part, final)
        return True

    def _claim_without_links(self, part: str, final: str) -> bool:
        """Rename where a disk knows no hard links (FAT, some network shares), checking just before."""
        try:
            os.stat(final, dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            with said("naming a file"):
                os.rename(part, final, src_dir_fd=self._handle, dst_dir_fd=self._handle)
            return True
        return False

    def _holds(self, final: str, sha256: str) -> bool:
        try:
            handle = os.open(final, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._handle)
        except OSError:
            return False
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            return False
        with os.fdopen(handle, "rb") as file:
            return sha256_of(file) == sha256

    def clear_leftovers(self, *, now: float, older_than: float = 86_400.0) -> int:
        """Remove part files too old for any download under way; times in epoch seconds. Returns how many."""
        removed = 0
        with said("listing"):
            names = os.listdir(self._handle)  # noqa: PTH208 - by handle, not by path
        for name in names:
            if not (name.startswith(".") and name.endswith(PART_SUFFIX)):
                continue
            try:
                found = os.stat(name, dir_fd=self._handle, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if now - found.st_mtime > older_than:
                self.remove(name)
                removed += 1
        return removed

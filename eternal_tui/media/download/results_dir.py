"""The results folder: private, never followed out of, never overwritten.

Every step goes through one open directory handle, so swapping it for a link half way gains nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from pathlib import Path

from eternal_tui.media.decode.filetype import HEAD_BYTES, FileType, MediaKind
from eternal_tui.media.decode.validate import check_magic
from eternal_tui.media.errors import BrokenFile, DiskFull, ResultsDirUnusable

PARTIAL_SUFFIX = ".part"
_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_HARD_LINK_ERRNOS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_MAX_COPIES = 99


@contextmanager
def translate_oserror(action: str) -> Iterator[None]:
    """Turn an operating system error into DiskFull or ResultsDirUnusable."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL_ERRNOS:
            raise DiskFull("the disk is full") from error
        raise ResultsDirUnusable(f"cannot be used ({action}: {error.strerror or 'unknown error'})") from error


def sha256_of(file: FileIO | BufferedReader) -> str:
    """Return the hex digest of a file from its start."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


class PartialFile:
    """A download under way: a random name, mode 0600, opened once and written through that handle.

    `etag` is the strong one by which it may be resumed, `file_type` is known from its first bytes.
    """

    def __init__(self, directory: ResultsDirectory, expect: MediaKind, *, encrypted: bool = False) -> None:
        self._directory, self.expect, self._encrypted = directory, expect, encrypted
        self.name = f".{secrets.token_hex(16)}{PARTIAL_SUFFIX}"
        self.file = directory.create(self.name)
        self._reset()

    def _reset(self) -> None:
        self.received_bytes, self.etag, self._head = 0, "", b""
        self.file_type: FileType | None = None

    def write(self, data: bytes) -> None:
        """Append `data`; raises DiskFull, or BrokenFile once its first bytes show that it is no file at all."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES:
                self.check_magic()
        left = memoryview(data)
        with translate_oserror("writing"):
            while left:
                left = left[self.file.write(left) :]
        self.received_bytes += len(data)

    def check_magic(self) -> None:
        """Detect the type from the bytes received; raises BrokenFile."""
        if not self._encrypted:
            self.file_type = check_magic(self._head)

    def restart(self) -> None:
        """Empty the file."""
        with translate_oserror("writing"):
            self.file.seek(0)
            self.file.truncate()
        self._reset()

    def flush_to_disk(self) -> None:
        """Return once every byte is on the disk."""
        with translate_oserror("writing"):
            os.fsync(self.file.fileno())

    def discard(self) -> None:
        """Close and remove the file; a missing one is no error."""
        self.file.close()
        self._directory.remove(self.name)


class ResultsDirectory:
    """The open results folder, made with mode 0700 where it is missing; raises ResultsDirUnusable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_symlink():
            raise ResultsDirUnusable("is a symbolic link, which is never followed")
        with translate_oserror("opening"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                path.mkdir(mode=0o700, exist_ok=True)
                path.chmod(0o700)
            self._dir_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_IMODE(os.fstat(self._dir_fd).st_mode) != 0o700:
                with translate_oserror("making it private"):
                    os.fchmod(self._dir_fd, 0o700)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder; closing twice is fine."""
        if self._dir_fd >= 0:
            os.close(self._dir_fd)
            self._dir_fd = -1

    def free_bytes(self) -> int:
        """Return the room an ordinary user has left on this disk."""
        with translate_oserror("asking for free space"):
            found = os.fstatvfs(self._dir_fd)
        return found.f_bavail * found.f_frsize

    def create(self, name: str) -> FileIO:
        """Open a file of this name, which nothing may have yet."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with translate_oserror("creating a file"):
            handle = os.open(name, flags, 0o600, dir_fd=self._dir_fd)
            os.fchmod(handle, 0o600)
        return FileIO(handle, "r+")

    def remove(self, name: str) -> None:
        """Remove one file of this folder; a missing one is no error."""
        try:
            os.unlink(name, dir_fd=self._dir_fd)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ResultsDirUnusable(f"cannot be used (removing: {error.strerror})") from error

    def publish(self, partial_file: PartialFile, name: str, suffix: str, sha256: str) -> Path:
        """Give a finished part its final name and return it; an existing file is never replaced.

        A file of the same content that is there already is kept and its path returned; another one's
        name is left alone and `-2`, `-3` … is taken.
        """
        for copy in range(1, _MAX_COPIES + 1):
            final = f"{name}.{suffix}" if copy == 1 else f"{name}-{copy}.{suffix}"
            if self._try_link(partial_file.name, final) or self._has_content(final, sha256):
                self.remove(partial_file.name)
                with translate_oserror("writing"):
                    os.fsync(self._dir_fd)
                return self.path / final
        raise BrokenFile(f"{_MAX_COPIES} different files of this job are kept already")

    def _try_link(self, partial_name: str, final_name: str) -> bool:
        folder = self._dir_fd
        with translate_oserror("naming a file"):
            try:
                os.link(partial_name, final_name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_HARD_LINK_ERRNOS:
                    raise
                # FAT and some network shares know no hard links: what renames must check just before.
                if final_name in os.listdir(folder):  # noqa: PTH208 - by handle, not by path
                    return False
                os.rename(partial_name, final_name, src_dir_fd=folder, dst_dir_fd=folder)
            return True

    def _has_content(self, final_name: str, sha256: str) -> bool:
        try:
            handle = os.open(
                final_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._dir_fd
            )
        except OSError:
            return False
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            return False
        with os.fdopen(handle, "rb") as file:
            return sha256_of(file) == sha256

    def remove_stale_partials(self, *, now: float, max_age_seconds: float = 86_400.0) -> None:
        """Remove part files too old for any download under way; times in epoch seconds."""
        with translate_oserror("listing"):
            names = os.listdir(self._dir_fd)  # noqa: PTH208 - by handle, not by path
        for name in names:
            if name.startswith(".") and name.endswith(PARTIAL_SUFFIX):
                with suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=self._dir_fd, follow_symlinks=False)
                    if now - found.st_mtime > max_age_seconds:
                        self.remove(name)

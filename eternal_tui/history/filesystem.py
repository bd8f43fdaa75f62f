"""The system calls of the history, in one class that tests replace to make each of them fail."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eternal_tui.history.errors import HistoryError, UnsafeFileError

if sys.platform != "win32":
    import fcntl

PRIVATE_FILE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700
_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


class Paths:
    """The paths of the files of one history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / "history.json"
        self.journal = folder / "history.journal"
        self.lock = folder / "history.lock"
        self.previous_document = folder / "history.previous.json"
        self.previous_journal = folder / "history.previous.journal"
        self.new_document = folder / "history.json.new"
        self.new_journal = folder / "history.journal.new"
        self.new_previous = folder / "history.previous.new"

    def leftovers(self) -> tuple[Path, ...]:
        """Temporary names that a crash may leave; without `new_document`, which a running compaction uses."""
        return (self.new_journal, self.new_previous)


class FileSystem:
    """System calls; each raises ``OSError``."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise HistoryError("The history needs POSIX file locks: run it under Linux, macOS or WSL.")

    def open(self, path: Path, flags: int) -> int:
        """Open a regular file, never a FIFO or a symbolic link; a new one gets mode 0600."""
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise UnsafeFileError(f"{path} is not a plain file. Move it away.")
        return fd

    def create(self, path: Path) -> int:
        """Create a file that must not exist yet, with mode 0600 whatever the umask, open for reading and writing."""
        fd = self.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.chmod(fd, PRIVATE_FILE_MODE)
        return fd

    def duplicate(self, fd: int) -> int:
        """Return a second descriptor of an open file."""
        return os.dup(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    @contextmanager
    def closing(self, fd: int) -> Iterator[int]:
        """Close the descriptor at the end of the block."""
        try:
            yield fd
        finally:
            self.close(fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``."""
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write at ``offset``; return the number of bytes written."""
        return os.pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        """Wait until the file's bytes are on disk."""
        if sys.platform == "darwin":
            # On macOS fsync ends in the drive's cache; F_FULLFSYNC flushes it.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(fd)

    def sync_dir(self, path: Path) -> None:
        """Wait until the folder's entries are on disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Truncate the file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def chmod(self, fd: int, mode: int) -> None:
        """Set the mode of an open file or folder."""
        os.fchmod(fd, mode)

    def replace(self, source: Path, target: Path) -> None:
        """Rename atomically over ``target``."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Create a hard link; ``target`` must not exist."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        """Remove a name; no error when it does not exist."""
        path.unlink(missing_ok=True)

    def make_dir(self, path: Path) -> None:
        """Create a folder and its parents with mode 0700 whatever the umask; leave an existing one unchanged."""
        if path.is_symlink():
            raise UnsafeFileError(f"The data folder {path} is a symbolic link. Use the real folder.")
        if path.is_dir():
            return
        for missing in [*reversed(path.parents), path]:
            try:
                missing.mkdir(PRIVATE_DIR_MODE)
            except FileExistsError:
                continue
            missing.chmod(PRIVATE_DIR_MODE)
            self.sync_dir(missing.parent)

    def list_dir(self, folder: Path) -> list[str]:
        """List the folder."""
        return os.listdir(folder)  # noqa: PTH208 - names, not paths

    def stat(self, path: Path) -> os.stat_result:
        """Stat the path; links are not followed."""
        return os.lstat(path)

    def fstat(self, fd: int) -> os.stat_result:
        """Stat an open file."""
        return os.fstat(fd)

    def try_lock(self, fd: int) -> bool:
        """Try to take the exclusive advisory lock; False when another holds it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self, fd: int) -> None:
        """Release the advisory lock."""
        fcntl.flock(fd, fcntl.LOCK_UN)


def file_identity(stat_result: os.stat_result) -> tuple[int, int, int]:
    """Return inode, size and modification time: equal while nothing was written."""
    return stat_result.st_ino, stat_result.st_size, stat_result.st_mtime_ns


def write_all(fs: FileSystem, fd: int, data: bytes, offset: int) -> int:
    """Write all bytes; return the offset after the last."""
    view = memoryview(data)
    while view:
        written = fs.write(fd, view, offset)
        view = view[written:]
        offset += written
    return offset


def read_all(fs: FileSystem, fd: int, offset: int = 0) -> bytes:
    """Read from ``offset`` to the end."""
    parts = []
    while part := fs.read(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def link_or_copy(fs: FileSystem, source: Path, target: Path) -> bool:
    """Give a file a second name, or copy it where hard links are not supported; False if it does not exist."""
    fs.unlink(target)
    try:
        fs.link(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINK_ERRNOS:
            raise
        copy_file(fs, source, target)
    return True


def copy_file(fs: FileSystem, source: Path, target: Path) -> None:
    """Copy a file and fsync the copy."""
    with fs.closing(fs.open(source, os.O_RDONLY)) as old, fs.closing(fs.create(target)) as new:
        write_all(fs, new, read_all(fs, old), 0)
        fs.sync(new)

"""Every system call the history makes, in one place where tests can make each of them fail."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from eternal_tui.history.errors import HistoryError, UnsafeFileError

if sys.platform != "win32":
    import fcntl

PRIVATE_FILE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700


class FileSystem:
    """The file system as the history uses it: thin calls that raise ``OSError``."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise HistoryError("The history needs POSIX file locks: run it under Linux, macOS or WSL.")

    def open(self, path: Path, flags: int) -> int:
        """Open a plain file, never a FIFO or a symbolic link; one made here gets mode 0600."""
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise UnsafeFileError(f"{path} is not a plain file. Move it out of the way.")
        return fd

    def create(self, path: Path) -> int:
        """Make a file that must not exist yet, 0600 whatever the umask, open for reading and writing."""
        fd = self.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.chmod(fd, PRIVATE_FILE_MODE)
        return fd

    def duplicate(self, fd: int) -> int:
        """Give a second descriptor of an open file."""
        return os.dup(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``."""
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write at ``offset``; may write less than asked."""
        return os.pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        """Return once the file's bytes are on the disk."""
        if sys.platform == "darwin":
            # On macOS fsync stops at the drive's own cache; only F_FULLFSYNC reaches the platter.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(fd)

    def sync_dir(self, path: Path) -> None:
        """Return once the folder's entries are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def chmod(self, fd: int, mode: int) -> None:
        """Set the mode of an open file or folder."""
        os.fchmod(fd, mode)

    def replace(self, source: Path, target: Path) -> None:
        """Rename atomically over whatever ``target`` is."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give the file a second name that must not exist yet."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        """Remove a name; not an error when it is already gone."""
        path.unlink(missing_ok=True)

    def make_dir(self, path: Path) -> None:
        """Make a folder and its parents, 0700 whatever the umask; leave an existing one as it is."""
        if path.is_symlink():
            raise UnsafeFileError(f"The data folder {path} is a symbolic link. Name the real folder instead.")
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
        """Describe the name itself, not what a link points to."""
        return os.lstat(path)

    def fstat(self, fd: int) -> os.stat_result:
        """Describe an open file."""
        return os.fstat(fd)

    def try_lock(self, fd: int) -> bool:
        """Try to take the exclusive advisory lock; false when another holds it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self, fd: int) -> None:
        """Give the advisory lock back."""
        fcntl.flock(fd, fcntl.LOCK_UN)


def write_all(fs: FileSystem, fd: int, data: bytes, offset: int) -> int:
    """Write every byte, however many calls it takes; return the offset after the last."""
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

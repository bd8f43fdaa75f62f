"""Private files and folders whatever the umask, atomic replacement, and JSON stores."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec


def make_private_dir(path: Path) -> None:
    """Make the folder and the missing ones above it, each 0700; those that are there stay as they are."""
    # The whole path first: of a path that is too long, no part must be made.
    if path.is_dir():
        return
    for one in [*reversed(path.parents), path]:
        if one.is_dir():
            continue
        try:
            one.mkdir(0o700)
        except FileExistsError:
            if not one.is_dir():
                raise
            continue
        one.chmod(0o700)


def create_private(path: Path) -> int:
    """Open a new 0600 file for writing and return its handle; anything there, also a link, raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(handle, 0o600)
    return handle


def restrict_to_owner(path: Path) -> None:
    """Remove the access of others to a file; anything but a plain file of this user is left unchanged."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        facts = os.fstat(handle)
        if stat.S_ISREG(facts.st_mode) and facts.st_mode & 0o077 and facts.st_uid == os.geteuid():
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def is_accessible_to_others(path: Path) -> bool:
    """Whether anyone but the owner has access; False if it does not exist."""
    try:
        return bool(path.lstat().st_mode & 0o077)
    except OSError:
        return False


MAX_READ_BYTES = 4_000_000
"""Bytes read of such a file: more is not one of ours."""


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by a 0600 file of `data`, whatever the umask; raise OSError and leave the old one on failure."""
    fresh = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
    handle = create_private(fresh)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def open_regular(path: Path) -> BinaryIO:
    """Open for reading what is a plain file; raises OSError for anything else: a FIFO would be waited on for ever.

    Paths below /dev and /proc, such as a shell's <(command), may be of any kind.
    """
    special = path.parts[1:2] in (("dev",), ("proc",))
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if special else os.O_NONBLOCK))
    mode = os.fstat(handle).st_mode
    if special or stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "it is not a plain file")


def read_limited(path: Path) -> bytes | None:
    """Return the file's bytes, None where there is none; raise OSError, or ValueError where it is far too large."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_READ_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) > MAX_READ_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_READ_BYTES} bytes.")
    return data


def quarantine(path: Path) -> str:
    """Rename a damaged file so that it is not overwritten; return the outcome as text for a notice."""
    aside = path.with_name(f"{path.stem}.damaged-{os.urandom(4).hex()}{path.suffix}")
    try:
        path.rename(aside)
    except OSError as error:
        return f"could not be set aside either: {error.strerror}"
    return f"was kept as {aside.name}"


T = TypeVar("T")


class JsonStore(Generic[T]):
    """Reads and replaces one value of type `T`.

    A damaged file is renamed, never overwritten, and a sentence is added to `notices`. `label` names the content in
    that sentence ("The draft", "The presets").
    """

    def __init__(self, path: Path, type_: type[T], label: str, *, indent: int = 0) -> None:
        self.path = path
        self.notices: list[str] = []
        self._type, self._label, self._indent = type_, label, indent

    def load(self) -> T | None:
        """Return the value on disk, None where there is no file or it cannot be read."""
        try:
            data = read_limited(self.path)
            return None if data is None else msgspec.json.decode(data, type=self._type)
        except (msgspec.MsgspecError, ValueError) as error:
            self.notices.append(f"{self._label} could not be read ({error}); the file {quarantine(self.path)}.")
        except OSError as error:
            self.notices.append(f"{self._label} could not be read: {error.strerror}.")
        return None

    def save(self, value: T) -> None:
        """Replace the file; raises OSError, and the old file is then still whole."""
        data = msgspec.json.encode(value)
        write_atomic(self.path, msgspec.json.format(data, indent=self._indent) if self._indent else data)

"""A file system that remembers every state a crash could leave, and one that fails on request."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eternal_tui.history.filesystem import FileSystem

WRITE_CALLS = frozenset({"open", "write", "sync", "sync_dir", "truncate", "chmod", "replace", "link", "unlink"})


class UnsyncedFileSystem(FileSystem):
    """The real calls without waiting for the disk: the tests cut no power."""

    def sync(self, fd: int) -> None:
        pass

    def sync_dir(self, path: Path) -> None:
        pass


@dataclass
class DiskState:
    """The folder at one moment: names and bytes as programs see them, and as they would survive a power cut."""

    call: str
    names: dict[str, int]
    contents: dict[int, bytes]
    synced_names: dict[str, int]
    synced_contents: dict[int, bytes]
    snapshot: Any = None

    def identity(self) -> object:
        return (
            tuple(
                sorted(
                    (name, self.contents[inode], self.synced_contents.get(inode, b""))
                    for name, inode in self.names.items()
                )
            ),
            tuple(sorted((name, self.synced_contents.get(inode)) for name, inode in self.synced_names.items())),
        )

    def after_kill(self) -> dict[str, bytes]:
        """After a kill: everything written is there."""
        return {name: self.contents[inode] for name, inode in self.names.items()}

    def after_power_cut(self, seed: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        """After a power cut: unsynced data is missing, cut short or NUL; renames happened or not."""
        yield "lost", {name: self.synced_contents.get(i, b"") for name, i in self.synced_names.items()}
        yield "names kept", {name: self.synced_contents.get(i, b"") for name, i in self.names.items()}
        yield "half", {name: self._half_synced(i) for name, i in self.names.items()}
        yield "nul", {name: self._nul_filled(i) for name, i in self.names.items()}
        choose = random.Random(seed)
        mixed = {}
        for name in sorted(self.names.keys() | self.synced_names.keys()):
            source = choose.choice((self.names, self.synced_names))
            if name in source:
                mixed[name] = self.synced_contents.get(source[name], b"")
        yield "mixed", mixed

    def _half_synced(self, inode: int) -> bytes:
        safe, live = self.synced_contents.get(inode, b""), self.contents[inode]
        return live[: (len(safe) + len(live)) // 2] if live.startswith(safe) else safe

    def _nul_filled(self, inode: int) -> bytes:
        safe, live = self.synced_contents.get(inode, b""), self.contents[inode]
        return safe + bytes(len(live) - len(safe)) if live.startswith(safe) else safe


@dataclass
class RecordingFileSystem(FileSystem):
    """Keeps the state before every call that changes the disk, and one within every write."""

    folder: Path
    take_snapshot: Callable[[], Any]
    states: list[DiskState] = field(default_factory=list)
    recording: bool = True

    def __post_init__(self) -> None:
        self._synced_names: dict[str, int] = {}
        self._synced_contents: dict[int, bytes] = {}
        self._seen: set[object] = set()
        if self.folder.exists():
            self._synced_names, self._synced_contents = self._read_state()

    def _read_state(self) -> tuple[dict[str, int], dict[int, bytes]]:
        names, contents = {}, {}
        if self.folder.exists():
            for path in self.folder.iterdir():
                if path.is_file():
                    inode = path.stat().st_ino
                    names[path.name] = inode
                    contents[inode] = path.read_bytes()
        return names, contents

    def record_state(self, call: str, partial: tuple[int, bytes, int] | None = None) -> None:
        if not self.recording:
            return
        names, contents = self._read_state()
        if partial:
            inode, data, offset = partial
            old = contents.get(inode, b"")
            contents[inode] = old[:offset] + data + old[offset + len(data) :]
        state = DiskState(
            call, names, contents, dict(self._synced_names), dict(self._synced_contents), self.take_snapshot()
        )
        key = (state.identity(), repr(state.snapshot))
        if key not in self._seen:
            self._seen.add(key)
            self.states.append(state)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self.record_state("write")
        self.record_state("half a write", (os.fstat(fd).st_ino, bytes(data[: len(data) // 2]), offset))
        return super().write(fd, data, offset)

    def sync(self, fd: int) -> None:
        self.record_state("sync")
        stat = os.fstat(fd)
        self._synced_contents[stat.st_ino] = os.pread(fd, stat.st_size, 0)

    def sync_dir(self, path: Path) -> None:
        self.record_state("sync_dir")
        if path == self.folder:
            self._synced_names = self._read_state()[0]


def _recorded_call(name: str) -> Callable[..., Any]:
    def call(self: RecordingFileSystem, *args: Any) -> Any:
        self.record_state(" ".join([name, *(path.name for path in args[-1:] if isinstance(path, Path))]))
        return getattr(super(RecordingFileSystem, self), name)(*args)

    return call


for _name in ("truncate", "replace", "link", "unlink", "create"):
    setattr(RecordingFileSystem, _name, _recorded_call(_name))


class FailingFileSystem(UnsyncedFileSystem):
    """Raises an ``OSError`` within `fail_calls`; a write that fails leaves half of its bytes. `failed` is the last."""

    def __init__(self) -> None:
        super().__init__()
        self.errno = 0
        self.failed = ""
        self._calls = WRITE_CALLS
        self._skip = 0
        self._once = False

    @contextmanager
    def fail_calls(
        self, errno: int, calls: frozenset[str] = WRITE_CALLS, *, skip: int = 0, once: bool = False
    ) -> Iterator[None]:
        """Let these calls fail for the block, after the first `skip` of them, or only the one that follows."""
        self.errno, self._calls, self._skip, self._once = errno, calls, skip, once
        try:
            yield
        finally:
            self.errno = 0

    def fail_if_due(self, name: str) -> None:
        if not self.errno or name not in self._calls:
            return
        self._skip -= 1
        if self._skip == -1 or (self._skip < 0 and not self._once):
            self.failed = name
            raise OSError(self.errno, os.strerror(self.errno))


def _failing_call(name: str) -> Callable[..., Any]:
    def call(self: FailingFileSystem, *args: Any, **kwargs: Any) -> Any:
        try:
            self.fail_if_due(name)
        except OSError:
            if name == "write":
                fd, data, offset = args
                os.pwrite(fd, data[: len(data) // 2], offset)
            raise
        return getattr(super(FailingFileSystem, self), name)(*args, **kwargs)

    return call


for _name in WRITE_CALLS | {"read", "list_dir", "stat", "fstat", "try_lock"}:
    setattr(FailingFileSystem, _name, _failing_call(_name))


@contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Let every write beyond that size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Make a folder that holds exactly these files."""
    folder.mkdir(mode=0o700)
    for name, data in contents.items():
        (folder / name).write_bytes(data)

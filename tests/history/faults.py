"""A file system that remembers every state a crash could leave, and one that fails on request."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eternal_tui.history.filesystem import Files

CALLS = (
    "open",
    "write",
    "sync",
    "sync_folder",
    "truncate",
    "chmod",
    "replace",
    "link",
    "unlink",
    "read",
    "names",
    "stat",
    "fstat",
    "lock",
)
CHANGING = frozenset({"open", "write", "sync", "sync_folder", "truncate", "chmod", "replace", "link", "unlink"})


class SwiftFiles(Files):
    """The real calls without waiting for the disk: the tests cut no power."""

    def sync(self, fd: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


@dataclass
class DiskState:
    """The folder at one moment: names and bytes as programs see them, and as they would survive a power cut."""

    call: str
    names: dict[str, int]
    contents: dict[int, bytes]
    safe_names: dict[str, int]
    safe_contents: dict[int, bytes]
    note: Any = None

    def key(self) -> object:
        return (
            tuple(
                sorted(
                    (name, self.contents[inode], self.safe_contents.get(inode, b""))
                    for name, inode in self.names.items()
                )
            ),
            tuple(sorted((name, self.safe_contents.get(inode)) for name, inode in self.safe_names.items())),
        )

    def killed(self) -> dict[str, bytes]:
        """After a kill: everything written is there."""
        return {name: self.contents[inode] for name, inode in self.names.items()}

    def power_cuts(self, seed: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        """After a power cut: what was not synced is gone, cut short or NUL; renames happened or not."""
        yield "lost", {name: self.safe_contents.get(i, b"") for name, i in self.safe_names.items()}
        yield "names kept", {name: self.safe_contents.get(i, b"") for name, i in self.names.items()}
        yield "half", {name: self._half(i) for name, i in self.names.items()}
        yield "nul", {name: self._nul(i) for name, i in self.names.items()}
        choose = random.Random(seed)
        mixed = {}
        for name in sorted(self.names.keys() | self.safe_names.keys()):
            source = choose.choice((self.names, self.safe_names))
            if name in source:
                mixed[name] = self.safe_contents.get(source[name], b"")
        yield "mixed", mixed

    def _half(self, inode: int) -> bytes:
        safe, live = self.safe_contents.get(inode, b""), self.contents[inode]
        return live[: (len(safe) + len(live)) // 2] if live.startswith(safe) else safe

    def _nul(self, inode: int) -> bytes:
        safe, live = self.safe_contents.get(inode, b""), self.contents[inode]
        return safe + bytes(len(live) - len(safe)) if live.startswith(safe) else safe


@dataclass
class RecordingFiles(Files):
    """Keeps the state before every call that changes the disk, and one within every write."""

    folder: Path
    note: Callable[[], Any]
    states: list[DiskState] = field(default_factory=list)
    recording: bool = True

    def __post_init__(self) -> None:
        self._safe_names: dict[str, int] = {}
        self._safe_contents: dict[int, bytes] = {}
        self._seen: set[object] = set()
        if self.folder.exists():
            self._safe_names, self._safe_contents = self._look()

    def _look(self) -> tuple[dict[str, int], dict[int, bytes]]:
        names, contents = {}, {}
        if self.folder.exists():
            for path in self.folder.iterdir():
                if path.is_file():
                    inode = path.stat().st_ino
                    names[path.name] = inode
                    contents[inode] = path.read_bytes()
        return names, contents

    def snap(self, call: str, partial: tuple[int, bytes, int] | None = None) -> None:
        if not self.recording:
            return
        names, contents = self._look()
        if partial:
            inode, data, offset = partial
            old = contents.get(inode, b"")
            contents[inode] = old[:offset] + data + old[offset + len(data) :]
        state = DiskState(call, names, contents, dict(self._safe_names), dict(self._safe_contents), self.note())
        key = (state.key(), repr(state.note))
        if key not in self._seen:
            self._seen.add(key)
            self.states.append(state)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self.snap("write")
        self.snap("half a write", (os.fstat(fd).st_ino, bytes(data[: len(data) // 2]), offset))
        return super().write(fd, data, offset)

    def sync(self, fd: int) -> None:
        self.snap("sync")
        stat = os.fstat(fd)
        self._safe_contents[stat.st_ino] = os.pread(fd, stat.st_size, 0)

    def sync_folder(self, path: Path) -> None:
        self.snap("sync_folder")
        if path == self.folder:
            self._safe_names = self._look()[0]

    def truncate(self, fd: int, size: int) -> None:
        self.snap("truncate")
        super().truncate(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        self.snap(f"replace {target.name}")
        super().replace(source, target)

    def link(self, source: Path, target: Path) -> None:
        self.snap(f"link {target.name}")
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        self.snap(f"unlink {path.name}")
        super().unlink(path)

    def create(self, path: Path) -> int:
        self.snap(f"create {path.name}")
        return super().create(path)


class FailingFiles(SwiftFiles):
    """Raises an ``OSError`` at the call with a given number; counts only the kinds named."""

    def __init__(self, at: int, errno: int, kinds: frozenset[str] = CHANGING) -> None:
        super().__init__()
        self.at = at
        self.errno = errno
        self.kinds = kinds
        self.count = 0
        self.failed = ""

    def step(self, name: str) -> None:
        if name in self.kinds:
            self.count += 1
            if self.count - 1 == self.at:
                self.failed = name
                raise OSError(self.errno, os.strerror(self.errno))


def _failing(name: str) -> Callable[..., Any]:
    def call(self: FailingFiles, *args: Any, **kwargs: Any) -> Any:
        try:
            self.step(name)
        except OSError:
            if name == "write":
                fd, data, offset = args
                os.pwrite(fd, data[: len(data) // 2], offset)
            raise
        return getattr(super(FailingFiles, self), name)(*args, **kwargs)

    return call


for _name in CALLS:
    setattr(FailingFiles, _name, _failing(_name))


def lay_out(folder: Path, contents: dict[str, bytes]) -> None:
    """Make a folder that holds exactly these files."""
    folder.mkdir(mode=0o700)
    for name, data in contents.items():
        (folder / name).write_bytes(data)

"""Folders in memory, and histories that are closed when the test ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eternal_tui.history.filesystem import FileSystem
from eternal_tui.history.history import History
from tests.history.faults import UnsyncedFileSystem

OpenHistory = Callable[..., History]


@pytest.fixture
def swift_path() -> Iterator[Path]:
    """A folder in memory where the machine has one: for tests that lay out thousands of files."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="history-", dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(swift_path: Path) -> Path:
    return swift_path / "data"


@pytest.fixture
def open_history(folder: Path) -> Iterator[OpenHistory]:
    """Opens the history of `folder`, without fsync unless another file system is given."""
    opened: list[History] = []

    def open_history(fs: FileSystem | None = None) -> History:
        opened.append(History.open(folder, fs=fs or UnsyncedFileSystem(), now=lambda: 1_700_000_000.0))
        return opened[-1]

    yield open_history
    for history in opened:
        history.close(compact=False)

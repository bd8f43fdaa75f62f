"""A full, forbidden, vanished or lockless disk is said, and the history stays as it was."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from eternal_tui.history.errors import (
    DataFolderMissingError,
    DiskFullError,
    InvalidRecordError,
    LockUnavailableError,
    ReadOnlyError,
    UnsafeFileError,
)
from eternal_tui.history.history import History
from eternal_tui.history.lock import FolderLock
from tests.history.conftest import OpenHistory
from tests.history.faults import FailingFileSystem, UnsyncedFileSystem, limit_file_size


def _refused_at_every_limit(folder: Path, sizes: range, action: Callable[[], object]) -> None:
    """Do it at each limit of a file's size; every file stays byte-identical."""

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}

    before = contents()
    for size in sizes:
        with limit_file_size(size), pytest.raises(DiskFullError):
            action()
        assert contents() == before, size


def test_disk_full_at_every_byte_of_a_write(folder: Path, open_history: OpenHistory) -> None:
    history = open_history()
    history.add_many({"n": number} for number in range(8))
    history.compact()
    assert history.add({"kept": True}) == 9
    size, record = (folder / "history.journal").stat().st_size, {"prompt": "y" * 60}
    _refused_at_every_limit(folder, range(size, size + 100), lambda: history.add(record))
    _refused_at_every_limit(folder, range((folder / "history.json").stat().st_size), history.compact)
    assert history.add(record) == 10
    history.compact()


@pytest.mark.parametrize(
    ("number", "call", "error", "words"),
    [
        (errno.ENOLCK, "try_lock", LockUnavailableError, "cannot lock files"),
        (errno.EOPNOTSUPP, "try_lock", LockUnavailableError, "cannot lock files"),
        (errno.EACCES, "open", ReadOnlyError, "writable"),
        (errno.EROFS, "open", ReadOnlyError, "writable"),
    ],
)
def test_open_raises_what_the_disk_refuses(
    open_history: OpenHistory, number: int, call: str, error: type[Exception], words: str
) -> None:
    files = FailingFileSystem()
    with files.fail_calls(number, frozenset({call})), pytest.raises(error, match=words):
        open_history(files)


def test_deleted_folder_raises(folder: Path, open_history: OpenHistory) -> None:
    history = open_history()
    history.add({"n": 1})
    shutil.rmtree(folder)
    for action in (lambda: history.add({"n": 2}), history.read_changes, history.compact):
        with pytest.raises(DataFolderMissingError):
            action()
    assert not folder.exists()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_lock_held_for_ever_raises_after_the_timeout(
    folder: Path, open_history: OpenHistory, is_replaced: bool
) -> None:
    """Also where the lock file was removed, and the holder locked a new one."""
    waited: list[float] = []
    holder = open_history()
    lock = FolderLock(UnsyncedFileSystem(), folder / "history.lock", sleep=waited.append)
    if is_replaced:
        (folder / "history.lock").unlink()
        holder = open_history()
    with holder.transaction(), pytest.raises(LockUnavailableError, match="suspended"), lock.hold():
        pass
    assert 10 <= sum(waited) < 11
    with lock.hold():
        pass
    lock.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_modes_are_private_with_any_umask(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        history = History.open(tmp_path / "a" / "data")
        for number in range(2):
            history.add({"n": number})
            history.compact()
        history.close(compact=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "data").iterdir()}
    assert set(files.values()) == {0o600}
    assert {"history.json", "history.journal", "history.lock", "history.previous.json"} <= set(files)


@pytest.mark.parametrize("name", ["", "history.json", "history.journal", "history.lock"])
def test_symlinked_file_or_folder_is_refused(swift_path: Path, open_history: OpenHistory, name: str) -> None:
    target = swift_path / "elsewhere"
    if name:
        (swift_path / "data").mkdir()
        target.write_text("theirs")
    else:
        target.mkdir()
    (swift_path / "data" / name).symlink_to(target)
    with pytest.raises(UnsafeFileError):
        open_history()
    assert list(target.iterdir()) == [] if not name else target.read_text() == "theirs"


def test_add_refuses_what_is_not_json(open_history: OpenHistory) -> None:
    history = open_history()
    for bad in ({"prompt": "\udc80"}, {"thing": object()}):
        with pytest.raises(InvalidRecordError):
            history.add(bad)
    assert history.journal_size == 0
    assert history.add({"n": 1}) == 1

"""A full, forbidden, vanished or lockless disk is said, and the history stays as it was."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
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
from tests.history.faults import FailingFileSystem, UnsyncedFileSystem

ROOT = Path(__file__).parents[2]

FULL_DISK_SCRIPT = """
import resource, sys
from pathlib import Path
from eternal_tui.history.errors import DiskFullError
from eternal_tui.history.history import History
from eternal_tui.history.lock import FolderLock
from tests.history.faults import UnsyncedFileSystem

folder = Path(sys.argv[1])
history = History.open(folder, fs=UnsyncedFileSystem())
history.add_many({"n": n} for n in range(8))
history.compact()
kept = history.add({"kept": True})
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def files():
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".lock"}

def at_every_limit(sizes, action):
    before, refused = files(), 0
    for size in sizes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited))
        try:
            action()
        except DiskFullError:
            refused += 1
        else:
            raise SystemExit(f"no error at {size}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
        assert files() == before, (size, files().keys())
    return refused

journal = (folder / "history.journal").stat().st_size
record = {"prompt": "y" * 60}
appends = at_every_limit(range(journal, journal + 100), lambda: history.add(record))
folds = at_every_limit(range(0, (folder / "history.json").stat().st_size), history.compact)
assert history.add(record) == kept + 1
history.close(compact=True)
print(appends, folds)
"""


def test_disk_full_at_every_byte_of_a_write(swift_path: Path) -> None:
    """The file size limit at each byte of an append and of a compaction: refused, and every file byte-identical."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK_SCRIPT, str(swift_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    appends, folds = map(int, done.stdout.split())
    assert appends == 100
    assert folds > 100


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EFBIG, DiskFullError),
        (errno.EACCES, ReadOnlyError),
        (errno.EROFS, ReadOnlyError),
        (errno.ESTALE, DataFolderMissingError),
    ],
)
def test_failed_write_raises_its_error(swift_path: Path, number: int, error: type[Exception]) -> None:
    """By the injected call, as the tests may run as root, whom no mode stops."""
    files = FailingFileSystem(0, number, frozenset({"write"}))
    files.fail_at = -1
    history = History.open(swift_path / "data", fs=files)
    files.fail_at = files.count
    with pytest.raises(error, match=r"\."):
        history.add({"n": 1})
    assert history.find_all() == []
    assert history.add({"n": 1}) == 1
    history.close(compact=False)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_open_without_file_locks_raises(swift_path: Path, number: int) -> None:
    with pytest.raises(LockUnavailableError, match="cannot lock files"):
        History.open(swift_path / "data", fs=FailingFileSystem(0, number, frozenset({"try_lock"})))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_open_in_read_only_folder_raises(swift_path: Path, number: int) -> None:
    with pytest.raises(ReadOnlyError, match="writable"):
        History.open(swift_path / "data", fs=FailingFileSystem(0, number, frozenset({"open"})))


def test_deleted_folder_raises(swift_path: Path) -> None:
    history = History.open(swift_path / "data", fs=UnsyncedFileSystem())
    history.add({"n": 1})
    shutil.rmtree(swift_path / "data")
    for action in (lambda: history.add({"n": 2}), history.read_changes, history.compact):
        with pytest.raises(DataFolderMissingError):
            action()
    assert not (swift_path / "data").exists()
    history.close(compact=False)


def test_lock_held_for_ever_raises_after_the_timeout(swift_path: Path) -> None:
    waited: list[float] = []
    holder = History.open(swift_path / "data", fs=UnsyncedFileSystem())
    lock = FolderLock(UnsyncedFileSystem(), swift_path / "data" / "history.lock", sleep=waited.append)
    with holder.transaction(), pytest.raises(LockUnavailableError, match="suspended"), lock.hold():
        pass
    assert 10 <= sum(waited) < 11
    with lock.hold():
        pass
    lock.close()
    holder.close(compact=False)


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


@pytest.mark.parametrize("name", ["history.json", "history.journal", "history.lock"])
def test_symlinked_file_is_refused(swift_path: Path, name: str) -> None:
    folder = swift_path / "data"
    folder.mkdir()
    target = swift_path / "elsewhere"
    target.write_text("theirs")
    (folder / name).symlink_to(target)
    with pytest.raises(UnsafeFileError):
        History.open(folder, fs=UnsyncedFileSystem())
    assert target.read_text() == "theirs"


def test_symlinked_folder_is_refused(swift_path: Path) -> None:
    (swift_path / "real").mkdir()
    (swift_path / "data").symlink_to(swift_path / "real")
    with pytest.raises(UnsafeFileError):
        History.open(swift_path / "data", fs=UnsyncedFileSystem())


def test_add_refuses_what_is_not_json(swift_path: Path) -> None:
    history = History.open(swift_path / "data", fs=UnsyncedFileSystem())
    for bad in ({"prompt": "\udc80"}, {"thing": object()}):
        with pytest.raises(InvalidRecordError):
            history.add(bad)
    assert history.journal_size == 0
    assert history.add({"n": 1}) == 1
    history.close(compact=False)

"""System calls and bytes of recording a change: counted, the same with few records and with many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from eternal_tui.history.filesystem import FileSystem
from eternal_tui.history.history import History
from tests.history.faults import UnsyncedFileSystem

FEW, MANY = 100, 100_000
PROMPT = "At the harbour, morning light. ".ljust(900, "x")

CHANGES: dict[str, Callable[[History, int], object]] = {
    "add": lambda history, _: history.add({"state": "submitting", "prompt": PROMPT}),
    "update": lambda history, record_id: history.update(record_id, {"state": "running"}),
    "progress": lambda history, record_id: history.update(record_id, {"progress": 5}, durable=False),
    "delete": lambda history, record_id: history.delete(record_id),
}


class CountingFileSystem(FileSystem):
    """The real calls, counted by their names; `written` and `bytes_read` are the bytes of all writes and reads."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.written = 0
        self.bytes_read = 0

    def read(self, fd: int, size: int, offset: int) -> bytes:
        data = super().read(fd, size, offset)
        self.bytes_read += len(data)
        return data

    def __getattribute__(self, name: str) -> object:
        if hasattr(FileSystem, name) and not name.startswith("_"):
            self.calls[name] += 1
        return super().__getattribute__(name)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        done = super().write(fd, data, offset)
        self.written += done
        return done


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A folder with few records and one with many, compacted."""
    made = {}
    for count in (FEW, MANY):
        made[count] = tmp_path_factory.mktemp(str(count))
        history = History.open(made[count], fs=UnsyncedFileSystem())
        history.add_many({"state": "saved", "number": number} for number in range(count))
        history.close(compact=True)
    return made


def measure_costs(folder: Path) -> dict[str, tuple[Counter[str], int]]:
    """Return the calls and the bytes of each kind of change, one at a time on an open history."""
    files = CountingFileSystem()
    history = History.open(folder, fs=files)
    found = {}
    (target, _), *_rest = history.recent(1)
    for name, change in CHANGES.items():
        files.calls.clear()
        files.written = 0
        change(history, target)
        found[name] = (Counter(files.calls), files.written)
    history.close(compact=False)
    return found


@pytest.mark.xdist_group("cost")
def test_change_takes_one_write_and_one_sync_at_any_length(folders: dict[int, Path]) -> None:
    few, many = measure_costs(folders[FEW]), measure_costs(folders[MANY])
    for name, (calls, written) in many.items():
        assert (calls, abs(written - few[name][1]) < 64) == (few[name][0], True), name
        assert calls["write"] == 1
        assert calls["sync"] == (name != "progress")
        assert not calls.keys() & {"sync_dir", "read", "open", "list_dir", "replace", "truncate"}, calls
        assert calls["try_lock"] == 1
        assert written < (len(PROMPT) if name == "add" else 0) + 200


@pytest.mark.xdist_group("cost")
def test_large_history_is_read_in_parts(folders: dict[int, Path]) -> None:
    """Bytes of an opening, an addition, one record and the newest fifty; two stats where nothing changed."""
    files = CountingFileSystem()
    history = History.open(folders[MANY], fs=files)
    assert not history.is_small
    history.add({"state": "queued"})
    assert history.get(MANY // 2) == {"state": "saved", "number": MANY // 2 - 1}
    assert len(history.recent(50)) == 50
    assert files.bytes_read < 0.1 * (folders[MANY] / "history.json").stat().st_size
    files.calls.clear()
    assert history.read_changes() == []
    assert files.calls == {"stat": 2}
    history.close(compact=False)

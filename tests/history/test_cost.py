"""What recording a change asks of the system: counted, the same with few records and with many."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from eternal_tui.history.document import ParsedDocument, parse_tables
from eternal_tui.history.filesystem import FileSystem
from eternal_tui.history.history import History
from tests.history.faults import UnsyncedFileSystem

FEW, MANY = 100, 100_000
PROMPT = "At the harbour, morning light. ".ljust(900, "x")
ROUNDS = 5

CHANGES: dict[str, Callable[[History, int], object]] = {
    "add": lambda history, _: history.add({"state": "submitting", "prompt": PROMPT}),
    "update": lambda history, record_id: history.update(record_id, {"state": "running"}),
    "progress": lambda history, record_id: history.update(record_id, {"progress": 5}, durable=False),
    "delete": lambda history, record_id: history.delete(record_id),
}


class CountingFileSystem(FileSystem):
    """The real calls, counted by their names; `written` is the bytes of all writes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.written = 0

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
    """A folder with few records and one with many, folded."""
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
def test_a_change_is_one_write_and_one_sync_however_long_the_history_is(folders: dict[int, Path]) -> None:
    """Seen to fail with the folder synced after each append, and with the change read back."""
    few, many = measure_costs(folders[FEW]), measure_costs(folders[MANY])
    for name, (calls, written) in many.items():
        assert (calls, abs(written - few[name][1]) < 64) == (few[name][0], True), name
        assert calls["write"] == 1
        assert calls["sync"] == (name != "progress")
        assert not calls.keys() & {"sync_dir", "read", "open", "list_dir", "replace", "truncate"}, calls
        assert calls["try_lock"] == 1
        assert written < (len(PROMPT) if name == "add" else 0) + 200


WORKER_SCRIPT = """
import os, sys
from pathlib import Path
from eternal_tui.history.history import History
history = History.open(Path(sys.argv[1]))
os.access("/first-mark", os.R_OK)
for number in range(int(sys.argv[2])):
    history.add({"state": "submitting", "prompt": "x" * 900})
os.access("/last-mark", os.R_OK)
history.close(compact=False)
"""


@pytest.mark.xdist_group("cost")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt install strace")
def test_the_kernel_sees_no_more(folders: dict[int, Path], tmp_path: Path) -> None:
    """Seen to fail with the folder synced after each append."""
    seen = {count: count_system_calls(folder, tmp_path / f"trace-{count}") for count, folder in folders.items()}
    assert seen[FEW]["fdatasync"] == ROUNDS
    assert seen[FEW]["pwrite64"] == ROUNDS
    assert seen[FEW]["fsync"] == 0
    assert seen[MANY] == seen[FEW]
    assert seen[FEW].total() <= 12 * ROUNDS


def count_system_calls(folder: Path, trace: Path) -> Counter[str]:
    """Return how often each system call on files was made for ROUNDS records."""
    strace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=%file,%desc", "-o", str(trace)]
    command = [*strace, sys.executable, "-c", WORKER_SCRIPT, str(folder), str(ROUNDS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode and "ptrace" in done.stderr.lower():
        pytest.skip("nothing may be traced here: run it where ptrace is allowed, as by docker run --cap-add=SYS_PTRACE")
    assert done.returncode == 0, done.stderr
    between = trace.read_text().partition("/first-mark")[2].partition("/last-mark")[0].splitlines()[1:-1]
    return Counter(call[1] for line in between if (call := re.match(r"(?:\d+ +)?(\w+)\(", line)))


def test_a_record_of_very_many_elements_is_handed_out_in_the_time_of_reading_it() -> None:
    """A stranger's record of 100,000 turns, against the time that the standard library takes to parse it.

    Seen to fail with copy.deepcopy, three times as long as parsing: `jobs` took 7 s with a million turns.
    """
    data = json.dumps({"jobs": {"1": {"timeline": [[0.0, "x", "y"]] * 100_000}}}).encode()
    document = ParsedDocument(parse_tables(data), len(data))

    def least(work: Callable[[], object]) -> float:
        took = []
        for _ in range(3):
            before = time.process_time()
            work()
            took.append(time.process_time() - before)
        return min(took)

    assert least(lambda: document.page(None, 1)) < 2 * least(lambda: json.loads(data))
    (_, first), (_, second) = document.page(None, 1)[0], document.page(None, 1)[0]
    first["timeline"][0].append("changed")
    assert second["timeline"][0] == document.get(1)["timeline"][0] == [0.0, "x", "y"]  # type: ignore[index]

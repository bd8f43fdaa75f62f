"""Memory of a journal: about its size on disk, and freed afterwards."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from eternal_tui.history.history import History
from eternal_tui.history.journal import Change, PendingChanges
from tests.history.faults import UnsyncedFileSystem

JOBS = 200
URL = "https://cdn.example/agent_data/2026/11/28/img-generated-{0:032x}.jpg?Expires=1795940407&Signature={0:064x}"


class SmallReadFileSystem(UnsyncedFileSystem):
    """Reads a few kilobytes at a time: a short journal would not show next to the buffer of a long one."""

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return super().read(fd, min(size, 4096), offset)


def record_job(history: History, number: int) -> None:
    """Record a job as the engine does: its intent, its id, its end, its file."""
    timeline: list[list[object]] = [[1795854006.41 + number, "intent recorded", ""]]
    request = {"character": "6870", "prompt": f"At the harbour, take {number}", "type": "image", "quality": "low"}
    job = history.add({"request": request, "created_at": 1795854006.41, "owner": "abc71da5", "timeline": timeline})
    timeline.append([1795854006.42 + number, "accepted", f"{number:036x}"])
    history.update(job, {"state": "running", "request_id": f"{number:036x}", "cost": 0.04, "timeline": timeline})
    timeline.append([1795854007.81 + number, "finished", "success"])
    answer = f'{{"status":"success","progress":100,"result_url":"{URL.format(number)}"}}'
    ended = {"state": "succeeded", "progress": 100, "result_url": URL.format(number), "last_answer": answer}
    history.update(job, {**ended, "timeline": timeline})
    timeline.append([1795854008.26 + number, "saved", f"{number:07d}.jpg"])
    facts = {"bytes": 780, "width": 16, "height": 16, "seconds": 0.0, "codec": "jpeg"}
    history.update(job, {"file": f"{number:07d}.jpg", "file_state": "saved", "facts": facts, "timeline": timeline})


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_memory_of_journal_and_compaction_is_bounded(swift_path: Path) -> None:
    """At four megabytes, when the app compacts, the process stayed 18 MB larger: freed memory was fragmented."""
    history = History.open(swift_path, fs=SmallReadFileSystem())
    record_job(history, 0)
    history.compact()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(1, JOBS):
        record_job(history, number)
    journal = history.journal_size
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    history.compact()
    after, peak = tracemalloc.get_traced_memory()
    assert held - before < 1.3 * journal
    assert peak - held < 4 * journal
    assert after - before < 0.1 * journal
    history.close(compact=False)


@pytest.mark.usefixtures("traced")
def test_many_changes_of_a_record_are_merged() -> None:
    pending = PendingChanges()
    pending.apply(Change("put", 1, {"prompt": "At the harbour"}))
    before, _ = tracemalloc.get_traced_memory()
    for number in range(2_000):
        pending.apply(Change("patch", 1, {"progress": number, "word": "x" * 100}))
    assert tracemalloc.get_traced_memory()[0] - before < 4_096
    assert pending.apply_to(1, None) == {"prompt": "At the harbour", "progress": 1_999, "word": "x" * 100}

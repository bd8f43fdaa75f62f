"""A crash at every call that changes the disk loses nothing that was acknowledged."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from eternal_tui.history.history import History
from tests.history.faults import WRITE_CALLS, FailingFileSystem, RecordingFileSystem, UnsyncedFileSystem, write_files
from tests.history.load import Ledger, run_mixed_load, verify_recovery


def _record_states(folder: Path, *, steps: int, seed: int) -> RecordingFileSystem:
    ledger = Ledger()
    files = RecordingFileSystem(folder, ledger.snapshot)
    run_mixed_load(folder, files, ledger, steps=steps, seed=seed)
    return files


def _verify_every_state(swift_path: Path, *, steps: int, seed: int) -> tuple[int, set[str]]:
    files = _record_states(swift_path / "data", steps=steps, seed=seed)
    for index, state in enumerate(files.states):
        killed = state.after_kill()
        write_files(swift_path / f"kill-{index}", killed)
        verify_recovery(swift_path / f"kill-{index}", state.snapshot, power_cut=False)
        if "history.json" in killed:
            write_files(swift_path / f"rot-{index}", killed | {"history.json": killed["history.json"][:40]})
            assert verify_recovery(
                swift_path / f"rot-{index}", state.snapshot, power_cut=False, is_document_corrupt=True
            )
        for kind, contents in state.after_power_cut(index):
            folder = swift_path / f"{kind}-{index}"
            write_files(folder, contents)
            verify_recovery(folder, state.snapshot, power_cut=True)
    return len(files.states), {state.call for state in files.states}


@pytest.mark.parametrize(
    ("steps", "seed"), [(24, 3), *(pytest.param(80, seed, marks=pytest.mark.long) for seed in range(20))]
)
def test_every_crash_point_of_a_mixed_load(swift_path: Path, steps: int, seed: int) -> None:
    """Killed, without power in five ways, and killed with the document rotten on top."""
    points, calls = _verify_every_state(swift_path, steps=steps, seed=seed)
    assert points > 100
    assert {"write", "half a write", "sync", "replace history.json", "replace history.journal"} <= calls
    assert {"replace history.previous.json", "replace history.previous.journal", "sync_dir"} <= calls


def test_every_crash_point_of_a_repair(swift_path: Path) -> None:
    """A crash while a rotten document is rebuilt still leaves everything to the next start."""
    ledger = Ledger()
    folder = swift_path / "data"
    run_mixed_load(folder, UnsyncedFileSystem(), ledger, steps=30, seed=5)
    document = folder / "history.json"
    document.write_bytes(document.read_bytes()[:-20])
    files = RecordingFileSystem(folder, ledger.snapshot)
    History.open(folder, fs=files).close(compact=True)
    assert "replace history.previous.json" in {state.call for state in files.states}
    for index, state in enumerate(files.states):
        write_files(swift_path / f"kill-{index}", state.after_kill())
        verify_recovery(swift_path / f"kill-{index}", state.snapshot, power_cut=False, is_document_corrupt=True)
        for kind, contents in state.after_power_cut(index):
            write_files(swift_path / f"{kind}-{index}", contents)
            verify_recovery(swift_path / f"{kind}-{index}", state.snapshot, power_cut=True, is_document_corrupt=True)


def _run_with_failing_call(swift_path: Path, at: int, number: int) -> str:
    """One load with the call ``at`` refused; what raised is not recorded, all else is."""
    ledger = Ledger()
    folder = swift_path / f"refused-{number}-{at}"
    files = FailingFileSystem()
    with files.fail_calls(number, skip=at, once=True):
        run_mixed_load(folder, files, ledger, steps=20, seed=7, failing=True)
    verify_recovery(folder, ledger, power_cut=False)
    return files.failed


def test_every_system_call_failing_once(swift_path: Path) -> None:
    """Full, read-only, failing disk at every call: an error with a sentence, and the history as before."""
    errors = (errno.ENOSPC, errno.EACCES, errno.EIO, errno.ESTALE, errno.EROFS)
    at, failed = 0, {""}
    while name := _run_with_failing_call(swift_path, at, errors[at % len(errors)]):
        failed.add(name)
        at += 1
    assert at > 100
    assert failed == {"", *WRITE_CALLS} - {"truncate"}


@pytest.mark.long
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EIO, errno.ESTALE])
def test_every_system_call_failing_with_every_error(swift_path: Path, number: int) -> None:
    at = 0
    while _run_with_failing_call(swift_path, at, number):
        at += 1

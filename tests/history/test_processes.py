"""Several real processes on one history, processes that are killed, and locks that show which are alive."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from tests.history.faults import UnsyncedFileSystem

ROOT = Path(__file__).parents[2]


def _start_worker(folder: Path, name: str, changes: int, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.history.worker", str(folder), name, str(changes), str(seed)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _start_together(*workers: subprocess.Popen[str]) -> list[list[list[Any]]]:
    """Have all of them go on at once, when all have come there; return what each said on its way."""
    said: list[list[list[Any]]] = []
    for worker in workers:
        assert worker.stdout is not None
        said.append([])
        while (words := json.loads(worker.stdout.readline()))[0] != "ready":
            said[-1].append(words)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    return said


def _apply_log(log: list[list[Any]], name: str, expected: dict[int, dict[str, Any]]) -> set[int]:
    """Apply what a worker said to what must be there; return ids a kill left undecided."""
    undecided: set[int] = set()
    for kind, key, number in (words for words in log if words[0] != "seen"):
        if kind == "add":
            assert key not in expected, "an id was given twice"
            expected[key] = {"by": name, "n": number}
        elif kind == "update":
            expected[key]["state"] = number
        elif kind == "deleting":
            undecided.add(key)
        else:
            del expected[key]
            undecided.discard(key)
    return undecided


def _read_records(folder: Path) -> dict[int, dict[str, Any]]:
    history = History.open(folder, fs=UnsyncedFileSystem())
    found = {
        key: {field: value for field, value in record.items() if field != "prompt"}
        for key, record in history.find_all()
    }
    notices = history.notices
    history.close(compact=True)
    assert not [notice for notice in notices if "cut short" not in notice]
    tables = json.loads((folder / "history.json").read_bytes())
    assert {int(key) for key in tables["jobs"]} == set(found)
    return found


def _run_concurrently(folder: Path, processes: int, changes: int, seed: int) -> None:
    workers = [_start_worker(folder, f"w{k}", changes, seed * 10 + k) for k in range(processes)]
    _start_together(*workers)
    halves = _start_together(*workers)
    expected: dict[int, dict[str, Any]] = {}
    seen: list[set[int]] = []
    for k, worker in enumerate(workers):
        out, _ = worker.communicate(timeout=300)
        assert worker.returncode == 0
        said = halves[k] + [json.loads(line) for line in out.splitlines()]
        _apply_log(said, f"w{k}", expected)
        seen.append(set(said[-1][1]))
    assert _read_records(folder) == expected
    assert all(seen), "each saw something of the others"


@pytest.mark.parametrize(
    ("processes", "changes", "seed"),
    [(3, 60, 0), (3, 60, 1), *(pytest.param(4, 500, seed, marks=pytest.mark.long) for seed in range(20))],
)
def test_several_processes_lose_nothing(swift_path: Path, processes: int, changes: int, seed: int) -> None:
    """Adds, changes, deletes and compactions by three processes at once; every id given once, every change kept."""
    _run_concurrently(swift_path / "data", processes, changes, seed)


def _kill_repeatedly(folder: Path, rounds: int, seed: int) -> None:
    choose = random.Random(seed)
    expected: dict[int, dict[str, Any]] = {}
    for number in range(rounds):
        name = f"w{number}"
        worker = _start_worker(folder, name, 10_000, choose.randrange(1 << 30))
        _start_together(worker)
        assert worker.stdout is not None
        assert worker.stdin is not None
        said = [json.loads(worker.stdout.readline()) for _ in range(choose.randrange(1, 40))]
        worker.kill()
        said += [json.loads(line) for line in worker.stdout.read().splitlines() if line.endswith("]")]
        worker.stdout.close()
        worker.stdin.close()
        worker.wait()
        undecided = _apply_log(said, name, expected)
        found = _read_records(folder)
        changed = {
            key
            for key in found.keys() | expected.keys()
            if found.get(key) != expected.get(key) and key not in undecided
        }
        # The one change under way when the kill came may be there already.
        assert len(changed) <= 1
        for key in changed:
            assert key in found, "an acknowledged record is gone"
            assert {field: found[key][field] for field in ("by", "n")} == {
                field: expected.get(key, found[key])[field] for field in ("by", "n")
            }
            assert found[key].get("state", -1) >= expected.get(key, {}).get("state", -1)
        expected = found


@pytest.mark.parametrize("rounds", [10, pytest.param(300, marks=pytest.mark.long)])
def test_killed_process_loses_nothing_acknowledged(swift_path: Path, rounds: int) -> None:
    """``kill -9`` at random moments of a mixed load on one growing history."""
    _kill_repeatedly(swift_path / "data", rounds, seed=1)


def _acquire(folder: Path) -> InstanceLock:
    return InstanceLock.acquire(folder, lambda: 0.0)


def test_instance_is_alive_until_released(tmp_path: Path) -> None:
    one, other = _acquire(tmp_path), _acquire(tmp_path)
    assert len(one.id) == 8
    assert one.is_alive(other.id)
    assert other.is_alive(one.id)
    assert one.is_alive(one.id)
    one.release()
    assert not other.is_alive(one.id)
    assert not one.is_alive(one.id)
    one.reacquire()
    assert other.is_alive(one.id)
    for instance in (one, other):
        instance.release()
    assert list((tmp_path / "instances").iterdir()) == []


def test_invalid_instance_id_is_dead_and_touches_no_file(tmp_path: Path) -> None:
    instance = _acquire(tmp_path)
    (tmp_path / "history.json").write_text("{}")
    for wrong in ("", "../history.json", "0000000", "zzzzzzzz"):
        assert not instance.is_alive(wrong)
    assert (tmp_path / "history.json").exists()
    instance.release()

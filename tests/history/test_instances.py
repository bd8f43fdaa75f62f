"""Who is alive is told by locks the kernel gives back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eternal_tui.history.lock import InstanceLock

ROOT = Path(__file__).parents[2]
HOLD_SCRIPT = """
import sys
from pathlib import Path
from eternal_tui.history.lock import InstanceLock
instance = InstanceLock.acquire(Path(sys.argv[1]), lambda: 0.0)
print(instance.id, flush=True)
sys.stdin.readline()
"""


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


def test_killed_process_is_dead_at_once(tmp_path: Path) -> None:
    """By ``kill -9``; its file is removed by whoever asks. A process id or a heartbeat would need time."""
    watcher = _acquire(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_SCRIPT, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    held = process.stdout.readline().strip()
    assert watcher.is_alive(held)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert not watcher.is_alive(held)
    assert [path.name for path in (tmp_path / "instances").iterdir()] == [watcher.id]
    watcher.release()


def test_invalid_instance_id_is_dead_and_touches_no_file(tmp_path: Path) -> None:
    instance = _acquire(tmp_path)
    (tmp_path / "history.json").write_text("{}")
    for wrong in ("", "../history.json", "0000000", "zzzzzzzz"):
        assert not instance.is_alive(wrong)
    assert (tmp_path / "history.json").exists()
    instance.release()

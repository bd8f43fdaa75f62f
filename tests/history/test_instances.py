"""Who is alive is told by locks the kernel gives back."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.history.lock import InstanceLock


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

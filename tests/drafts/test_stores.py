"""Draft and presets on disk: private, whole, never written over when they cannot be read."""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import pytest

from eternal_tui.core.files import write_atomic
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import DraftStore, Presets, PresetStore

DRAFT = Draft(character="6870", prompt="At the harbour,\nmorning", type="video", duration=2)


def test_flush_writes_the_pending_draft(tmp_path: Path) -> None:
    store = DraftStore(tmp_path)
    store.set_pending(DRAFT)
    assert not store.path.exists()
    assert store.flush()
    assert DraftStore(tmp_path).load() == DRAFT


def test_flush_skips_an_unchanged_draft(tmp_path: Path) -> None:
    store = DraftStore(tmp_path)
    assert not store.flush()
    store.set_pending(DRAFT)
    store.flush()
    before = store.path.stat().st_ino
    store.set_pending(Draft(character="6870", prompt=DRAFT.prompt, type="video", duration=2))
    assert not store.flush()
    assert store.path.stat().st_ino == before
    again = DraftStore(tmp_path)
    again.load()
    again.set_pending(DRAFT)
    assert not again.flush()


def test_write_atomic_keeps_the_old_file_on_failure_and_replaces_a_symlink(tmp_path: Path) -> None:
    path = tmp_path / "draft.json"
    write_atomic(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomic(path, b"new text")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["draft.json"]
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    write_atomic(path, b"new")
    assert target.read_bytes() == b"old"
    assert not path.is_symlink()


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff\xfe", b'{"type":"audio"}', b"[1]", pytest.param(b"x" * 5_000_000, id="huge")]
)
@pytest.mark.parametrize("name", ["draft.json", "presets.json"])
def test_damaged_file_is_kept_under_another_name(tmp_path: Path, damage: bytes, name: str) -> None:
    if name == "presets.json" and damage == b'{"type":"audio"}':
        damage = b'{"items":[{"name":1}]}'
    (tmp_path / name).write_bytes(damage)
    if name == "draft.json":
        drafts = DraftStore(tmp_path)
        assert drafts.load() is None
        notices = drafts.notices
    else:
        presets = PresetStore(tmp_path)
        assert presets.load() == Presets()
        notices = presets.notices
    (aside,) = tmp_path.iterdir()
    assert aside.name != name
    assert aside.read_bytes() == damage
    assert aside.name in notices[0]


def test_unknown_fields_are_ignored_and_an_unreadable_file_gives_a_notice(tmp_path: Path) -> None:
    drafts = DraftStore(tmp_path)
    drafts.path.write_bytes(b'{"prompt":"x","seed":7}')
    assert drafts.load() == Draft(prompt="x")
    drafts.path.unlink()
    drafts.path.mkdir()
    assert drafts.load() is None
    assert drafts.notices


def test_presets_replace_delete_and_default(tmp_path: Path) -> None:
    presets = Presets().with_preset("  Rainy \n day ", DRAFT).with_preset("harbour", Draft(prompt="x"))
    assert [each.name for each in presets.items] == ["harbour", "Rainy day"]
    presets = presets.with_preset("harbour", DRAFT).toggle_default("harbour")
    store = PresetStore(tmp_path)
    store.save(presets)
    read = store.load()
    assert read == presets
    assert read.toggle_default("harbour").default == ""
    assert read.without_preset("harbour").default == ""
    assert read.without_preset("Rainy day").default == "harbour"
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_merged_into_keeps_empty_fields() -> None:
    preset = Presets().with_preset("clip", Draft(type="video", duration=2)).items[0]
    applied = preset.merged_into(Draft(character="6870", prompt="mine"))
    assert (applied.character, applied.prompt, applied.type, applied.duration) == ("6870", "mine", "video", 2)

"""Damage is quarantined, never overwritten; the best generation is used and the loss is counted."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import pytest

from eternal_tui.history.errors import NewerSchemaError
from eternal_tui.history.history import History
from eternal_tui.history.journal import encode_line
from tests.history.conftest import OpenHistory
from tests.history.faults import UnsyncedFileSystem
from tests.history.load import Ledger, run_mixed_load

LONG_SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1000, 2000)]


def _prepare_history(folder: Path, seed: int) -> Ledger:
    ledger = Ledger()
    run_mixed_load(folder, UnsyncedFileSystem(), ledger, steps=25, seed=seed)
    with_changes = History.open(folder, fs=UnsyncedFileSystem())
    for number in range(4):
        ledger.acknowledged[with_changes.add({"late": number})] = {"late": number}
    with_changes.close(compact=False)
    return ledger


def _damage(data: bytes, choose: random.Random) -> tuple[str, bytes]:
    kind = choose.choice(["cut", "flip", "nul", "junk", "empty"])
    at = choose.randrange(len(data))
    if kind == "cut":
        return kind, data[:at]
    if kind == "flip":
        return kind, data[:at] + bytes([data[at] ^ (1 << choose.randrange(8))]) + data[at + 1 :]
    if kind == "nul":
        return kind, data[:at] + bytes(min(choose.randrange(1, 64), len(data) - at)) + data[at + 64 :]
    if kind == "junk":
        return kind, data + choose.randbytes(choose.randrange(1, 300))
    return kind, b""


def _open_and_read(folder: Path) -> tuple[dict[int, dict[str, object]], str]:
    history = History.open(folder, fs=UnsyncedFileSystem())
    found = dict(history.find_all())
    history.close(compact=False)
    return found, " ".join(history.notices)


def _damage_document(folder: Path, seed: int) -> None:
    choose = random.Random(seed)
    ledger = _prepare_history(folder, seed % 7)
    document = folder / "history.json"
    stat = document.stat()
    kind, damaged = _damage(document.read_bytes(), choose)
    if damaged == document.read_bytes():
        return
    document.write_bytes(damaged)
    if rot := choose.random() < 0.5:
        # A disk that rots changes no time stamp.
        os.utime(document, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found, notices = _open_and_read(folder)
    if "damaged" in notices:
        assert found == ledger.acknowledged, (kind, notices)
        assert "none is lost" in notices
        kept = re.search(r"history\.damaged-\d{8}-\d{6}(-\d+)?\.json", notices)
        assert kept
        assert (folder / kept[0]).read_bytes() == damaged
    else:
        # A changed letter with a new time stamp looks like an edit by hand, and is accepted as one.
        assert not rot
        assert "changed by another program" in notices
        assert document.read_bytes() == damaged


def _damage_journal(folder: Path, seed: int) -> None:
    choose = random.Random(seed)
    ledger = _prepare_history(folder, seed % 7)
    journal = folder / "history.journal"
    whole = journal.read_bytes()
    kind, damaged = _damage(whole, choose)
    if damaged == whole:
        return
    journal.write_bytes(damaged)
    found, notices = _open_and_read(folder)
    changed = {
        key for key in found.keys() | ledger.acknowledged.keys() if found.get(key) != ledger.acknowledged.get(key)
    }
    at_line_end = whole.startswith(damaged) and damaged.endswith(b"\n")
    if not at_line_end:
        assert notices
    if changed and not at_line_end and "cut short" not in notices:
        counted = re.search(r"At least \d+ changes? (is|are) lost|is unknown|at its end could not", notices)
        assert counted, (kind, notices)
    if "set aside" in notices:
        assert damaged in {path.read_bytes() for path in folder.glob("history.damaged-*.journal")}
    lost = whole.count(b"\n") - damaged.count(b"\n") + (kind == "flip") + 2
    assert len(changed) <= max(0, lost) or kind in {"cut", "empty", "nul"}


@pytest.mark.parametrize("seed", [*range(100), *LONG_SEEDS])
def test_damaged_document_loses_nothing(swift_path: Path, seed: int) -> None:
    """Cuts, flips, NULs, junk and emptiness, with and without a new time stamp."""
    _damage_document(swift_path / "data", seed)


@pytest.mark.parametrize("seed", [*range(50), *LONG_SEEDS])
def test_damaged_journal_reports_lost_changes(swift_path: Path, seed: int) -> None:
    _damage_journal(swift_path / "data", seed)


def _write_and_close(folder: Path, *, records: int) -> Path:
    """Write records in one compacted document; return its path."""
    history = History.open(folder, fs=UnsyncedFileSystem())
    history.add_many({"n": number} for number in range(records))
    history.close(compact=True)
    return folder / "history.json"


def test_repair_without_previous_generation_keeps_readable_records(folder: Path) -> None:
    document = _write_and_close(folder, records=10)
    (folder / "history.previous.journal").unlink()
    document.write_bytes(document.read_bytes().replace(b'"5":{"n":4}', b'"5":{"n":\x004}'))
    found, notices = _open_and_read(folder)
    assert sorted(found) == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert "at least 1 is lost" in notices


def test_repair_ignores_rows_of_other_tables(folder: Path, open_history: OpenHistory) -> None:
    """Cut inside the first line, which has the row 1 of the table meta."""
    document = _write_and_close(folder, records=3)
    history = open_history()
    history.delete(1)
    history.compact()
    history.update(2, {"state": "saved"})
    history.close(compact=True)
    document.write_bytes(document.read_bytes().partition(b"\n")[0])
    found, notices = _open_and_read(folder)
    assert found == {2: {"n": 1, "state": "saved"}, 3: {"n": 2}}
    assert "none is lost" in notices


@pytest.mark.parametrize("has_journal", [True, False])
def test_newer_schema_is_refused_and_unchanged(folder: Path, open_history: OpenHistory, has_journal: bool) -> None:
    open_history().close(compact=False)
    journal = folder / "history.journal"
    journal.unlink()
    if has_journal:
        journal.write_bytes(encode_line({"schema": 2, "shape": "unknown"}))
    (folder / "history.json").write_bytes(b'{"meta":{"1":{"schema":2}},"jobs":{"1":{}}}')
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(NewerSchemaError, match="newer eternal-tui"):
        open_history()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_ids_leave_a_gap_when_the_last_id_is_lost(folder: Path, open_history: OpenHistory) -> None:
    _write_and_close(folder, records=3)
    assert open_history().add({"n": "shown, then lost"}) == 4
    (folder / "history.journal").write_bytes(b"")
    history = open_history()
    assert history.add({"n": 4}) > 1000
    assert "is unknown" in history.notices[0]


def test_append_truncates_a_torn_line(folder: Path, open_history: OpenHistory) -> None:
    history = open_history()
    history.add({"n": 1})
    with (folder / "history.journal").open("ab") as journal:
        journal.write(b'0badf00d {"op":"put","fields":{"prompt":"' + b"x" * 900)
    assert history.add({"n": 2}) == 2
    again = open_history()
    assert again.notices == []
    assert [key for key, _ in again.find_all()] == [2, 1]


def test_compaction_finds_damage_in_a_large_document(folder: Path, open_history: OpenHistory) -> None:
    """A large document is trusted at opening; rot in a record no one read must not reach the next generation."""
    history = open_history()
    history.add_many({"prompt": "x" * 3000, "n": number} for number in range(1000))
    history.close(compact=True)
    document = folder / "history.json"
    stat = document.stat()
    assert stat.st_size > 2_000_000
    data = bytearray(document.read_bytes())
    data[1_500_000] = ord("y")
    document.write_bytes(data)
    os.utime(document, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    history = open_history()
    assert history.notices == []
    assert history.add({"n": 1000}) == 1001
    history.compact()
    assert "none is lost" in history.notices[0]
    assert [change.op for change in history.read_changes()] == ["reload"]
    records = dict(history.find_all())
    assert set(records) == set(range(1, 1002))
    assert all(record.get("prompt", "x" * 3000) == "x" * 3000 for record in records.values())


def test_compaction_keeps_what_other_programs_wrote(folder: Path, open_history: OpenHistory) -> None:
    folder.mkdir()
    tables = {"_default": {"1": {"note": "mine"}}, "jobs": {"7": {"by": "hand"}, "3": {"by": "\ud800"}}}
    (folder / "history.json").write_text(json.dumps(tables, indent=2))
    history = open_history()
    assert history.add({"by": "us"}) == 1008
    assert [key for key, _ in history.recent(3)] == [1008, 7, 3]
    history.close(compact=True)
    written = json.loads((folder / "history.json").read_bytes())
    assert written["_default"] == tables["_default"]
    assert written["jobs"] == {"3": {"by": "\ufffd"}, "7": {"by": "hand"}, "1008": {"by": "us"}}

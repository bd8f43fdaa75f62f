"""What the history promises while nothing goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinydb import TinyDB, where
from tinydb.table import Document

from eternal_tui.history.errors import ConflictError, HistoryError
from eternal_tui.history.history import History
from eternal_tui.history.journal import Change
from eternal_tui.history.tinydb_storage import DurableStorage
from tests.history.faults import UnsyncedFileSystem


@pytest.fixture
def folder(swift_path: Path) -> Path:
    return swift_path / "data"


def open_history(folder: Path, fs: UnsyncedFileSystem | None = None) -> History:
    return History.open(folder, fs=fs or UnsyncedFileSystem())


class HookedFileSystem(UnsyncedFileSystem):
    """Calls ``hook`` once, when a compaction has written the new document and not yet put it in place."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.hook: Callable[[], object] = lambda: None

    def sync(self, fd: int) -> None:  # noqa: ARG002
        if self.armed:
            self.armed = False
            self.hook()


RECORDS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=8,
    ),
)


@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=12), changed=RECORDS)
def test_records_round_trip_any_json(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], changed: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("json") / "data"
    history = open_history(folder)
    ids = history.add_many(records)
    history.compact()
    history.update(ids[0], changed)
    history.compact()
    expected = dict(zip(ids, records, strict=True)) | {ids[0]: records[0] | changed}
    assert dict(history.find_all()) == expected
    history.close(compact=False)
    with TinyDB(folder / "history.json") as database:
        assert {job.doc_id: dict(job) for job in database.table("jobs").all()} == expected


@pytest.mark.parametrize("seed", range(6))
def test_all_ways_to_read_agree(folder: Path, seed: int) -> None:
    """Records of 20 bytes to 30 KB, compacted and not, deleted and restored, read in every way there is."""
    choose = random.Random(seed)
    history = open_history(folder)
    model: dict[int, dict[str, Any]] = {}
    for step in range(300):
        kind = choose.random()
        if kind < 0.6 or not model:
            record = {"n": step, "prompt": "x" * int(choose.paretovariate(0.5) % 30_000)}
            model[history.add(record)] = record
        elif kind < 0.9:
            key = choose.choice(list(model))
            history.update(key, {"state": step})
            model[key] = model[key] | {"state": step}
        else:
            key = choose.choice(list(model))
            history.delete(key)
            gone = model.pop(key)
            if kind < 0.95:
                history.put(key, gone)
                model[key] = gone
        if choose.random() < 0.05:
            history.compact()
    newest = sorted(model.items(), reverse=True)
    assert history.find_all() == newest
    assert history.count() == len(model)
    assert history.recent(7) == newest[:7]
    for size in (1, 7, 1000):
        assert [found for page in history.iter_pages(size) for found in page] == newest
    assert {key: history.get(key) for key in range(400)} == {key: model.get(key) for key in range(400)}
    history.close(compact=True)


def test_iter_pages_follows_changes_and_compaction(folder: Path) -> None:
    history = open_history(folder)
    history.add_many({"n": n} for n in range(30))
    slices = history.iter_pages(10)
    assert [key for key, _ in next(slices)] == list(range(30, 20, -1))
    history.update(20, {"state": "new"})
    history.compact()
    history.delete(19)
    assert [key for key, _ in next(slices)] == [20, 18, 17, 16, 15, 14, 13, 12, 11, 10]
    history.close(compact=True)


def test_records_are_copies(folder: Path) -> None:
    history = open_history(folder)
    timeline = ["submitted"]
    key = history.add({"timeline": timeline})
    timeline.append("never said")
    found = history.get(key)
    assert found is not None
    found["timeline"].append("nor this")
    assert history.get(key) == {"timeline": ["submitted"]}
    history.close(compact=True)


def test_read_changes_returns_what_another_instance_wrote(folder: Path) -> None:
    one, other = open_history(folder), open_history(folder)
    key = one.add({"n": 1})
    one.update(key, {"state": "running"})
    assert other.read_changes() == [Change("put", 1, {"n": 1}), Change("patch", 1, {"state": "running"})]
    assert other.read_changes() == []
    assert one.read_changes() == []
    other.delete(key)
    assert one.read_changes() == [Change("delete", 1, {})]
    one.close(compact=False)
    other.close(compact=True)


def test_read_changes_is_complete_across_a_compaction(folder: Path) -> None:
    """Changes made before, during and after another instance's compaction arrive once each."""
    files = HookedFileSystem()
    one, other = open_history(folder, files), open_history(folder)
    third = open_history(folder)
    one.add({"when": "before"})

    def meanwhile() -> None:
        third.add({"when": "during"})
        one.update(1, {"state": "during"})

    files.hook = meanwhile
    assert other.read_changes() == [Change("put", 1, {"when": "before"})]
    files.armed = True
    one.compact()
    assert not files.armed
    third.add({"when": "after"})
    assert [(change.op, change.id) for change in other.read_changes()] == [("put", 2), ("patch", 1), ("put", 3)]
    assert [(change.op, change.id) for change in one.read_changes()] == [("put", 2), ("put", 3)]
    expected = [(3, {"when": "after"}), (2, {"when": "during"}), (1, {"when": "before", "state": "during"})]
    assert one.find_all() == other.find_all() == third.find_all() == expected
    assert other.add({"n": 4}) == 4
    for history in (one, other, third):
        history.close(compact=True)


def test_concurrent_compactions_end_in_one(folder: Path) -> None:
    files = HookedFileSystem()
    one, other = open_history(folder, files), open_history(folder)
    one.add({"n": 1})
    files.hook = other.compact
    files.armed = True
    one.compact()
    assert one.journal_size == 0
    other.read_changes()
    assert one.find_all() == other.find_all() == [(1, {"n": 1})]
    one.close(compact=False)
    other.close(compact=False)


def test_external_edit_during_a_compaction_survives(folder: Path) -> None:

    def edit() -> None:
        with TinyDB(folder / "history.json") as database:
            database.table("jobs").insert(Document({"by": "hand"}, doc_id=50))

    files = HookedFileSystem()
    history = open_history(folder, files)
    history.add({"n": 1})
    history.compact()
    history.add({"n": 2})
    files.hook = edit
    files.armed = True
    history.compact()
    history.compact()
    assert {"by": "hand"} in [record for _, record in history.find_all()]
    history.close(compact=True)


def test_read_changes_reloads_after_two_compactions(folder: Path) -> None:
    one, other = open_history(folder), open_history(folder)
    for n in range(2):
        one.add({"n": n})
        one.compact()
    assert [change.op for change in other.read_changes()] == ["reload"]
    assert [key for key, _ in other.recent(5)] == [2, 1]
    one.close(compact=False)
    other.close(compact=False)


def test_transaction_reads_concurrent_changes(folder: Path) -> None:
    one, other = open_history(folder), open_history(folder)
    key = one.add({"owner": None})
    with other.transaction() as transaction:
        assert [change.id for change in transaction.concurrent_changes] == [key]
        assert transaction.get(key) == {"owner": None}
        transaction.update(key, {"owner": "other"})
        assert transaction.get(key) == {"owner": "other"}
        assert transaction.add({"n": 2}) == 2
    assert one.read_changes()[-1] == Change("put", 2, {"n": 2})
    assert one.get(key) == {"owner": "other"}
    one.close(compact=False)
    other.close(compact=False)


def test_transaction_that_raises_writes_nothing(folder: Path) -> None:
    one, other = open_history(folder), open_history(folder)
    one.add({"n": 1})

    def claim() -> None:
        with other.transaction() as transaction:
            transaction.delete(1)
            raise KeyError

    with pytest.raises(KeyError):
        claim()
    assert [change.op for change in other.read_changes()] == ["put"]
    assert other.count() == 1
    one.close(compact=False)
    other.close(compact=False)


def test_external_edit_is_used_as_it_is(folder: Path) -> None:
    history = open_history(folder)
    history.add_many({"n": n} for n in range(3))
    history.compact()
    with TinyDB(folder / "history.json") as database:
        database.table("jobs").insert({"by": "hand"})
        database.table("mine").insert({"kept": True})
    assert [change.op for change in history.read_changes()] == ["reload"]
    assert history.get(4) == {"by": "hand"}
    assert history.add({"n": 5}) == 5
    assert "another program" in history.notices[0]
    history.close(compact=True)
    with TinyDB(folder / "history.json") as database:
        assert database.table("mine").all() == [{"kept": True}]
        assert len(database.table("jobs")) == 5


def test_storage_serves_tables_and_queries(folder: Path) -> None:
    history = open_history(folder)
    history.add_many({"n": n} for n in range(3))
    with TinyDB(folder / "history.json", storage=DurableStorage) as database:
        table = database.table("jobs")
        assert [job.doc_id for job in table.search(where("n") > 0)] == [2, 3]
        assert table.insert({"n": 3}) == 4
        table.update({"state": "done"}, where("n") == 1)
        table.remove(doc_ids=[1])
    assert [(c.op, c.id) for c in history.read_changes()] == [("put", 4), ("put", 2), ("delete", 1)]
    assert dict(history.find_all()) == {2: {"n": 1, "state": "done"}, 3: {"n": 2}, 4: {"n": 3}}
    history.close(compact=True)


def test_storage_overwrites_no_concurrent_change(folder: Path) -> None:
    """TinyDB keeps its next id to itself; a record added meanwhile must not vanish under it."""
    history = open_history(folder)
    history.add({"n": 1})
    with TinyDB(folder / "history.json", storage=DurableStorage) as database:
        table = database.table("jobs")
        table.insert({"n": 2})
        storage = database.storage
        state = storage.read()
        assert state is not None
        history.add({"n": 3})
        with pytest.raises(ConflictError):
            storage.write({**state, "jobs": {**state["jobs"], "3": {"mine": True}}})
    assert history.get(3) == {"n": 3}
    history.close(compact=True)


def test_closed_history_raises(folder: Path) -> None:
    history = open_history(folder)
    history.close(compact=False)
    history.close(compact=True)
    with pytest.raises(HistoryError, match="closed"):
        history.add({})
    with pytest.raises(HistoryError, match="closed"):
        history.read_changes()

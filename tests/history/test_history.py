"""Promises of the history without damage or crashes."""

from __future__ import annotations

import json
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
from eternal_tui.history.journal import FIRST_CHARGE_ID, Change
from eternal_tui.history.tinydb_storage import DurableStorage
from tests.history.conftest import OpenHistory
from tests.history.faults import UnsyncedFileSystem

Rows = dict[int, dict[str, Any]]


class HookedFileSystem(UnsyncedFileSystem):
    """Calls ``hook`` once, when a compaction has written the new document and not yet put it in place."""

    hook: Callable[[], object] | None = None

    def sync(self, fd: int) -> None:  # noqa: ARG002
        if hook := self.hook:
            self.hook = None
            hook()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | TEXTS,
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=8,
    ),
)


@settings(max_examples=25, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=12), changed=RECORDS)
def test_records_round_trip_any_json(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], changed: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    history = History.open(folder, fs=UnsyncedFileSystem())
    ids = history.add_many(records)
    history.compact()
    history.update(ids[0], changed)
    history.compact()
    expected = dict(zip(ids, records, strict=True)) | {ids[0]: records[0] | changed}
    assert dict(history.find_all()) == expected
    history.close(compact=False)
    assert read_tables(folder)["jobs"] == expected


def read_tables(folder: Path) -> dict[str, Rows]:
    """Read the document with the stock library."""
    with TinyDB(folder / "history.json") as database:
        return {name: {row.doc_id: dict(row) for row in database.table(name).all()} for name in ("jobs", "charges")}


def read_charges(history: History) -> Rows:
    rows: Rows = {}
    while page := history.charges(min(rows, default=None), 7):
        rows.update(page)
    assert list(rows) == sorted(rows, reverse=True)
    return rows


def verify_reads(history: History, jobs: Rows, charges: Rows) -> None:
    """Read in every way there is."""
    history.read_changes()
    newest = sorted(jobs.items(), reverse=True)
    assert history.find_all() == newest
    assert history.count() == len(jobs)
    assert history.recent(7) == newest[:7]
    assert [found for page in history.iter_pages(3) for found in page] == newest
    assert {key: history.get(key) for key in range(150)} == {key: jobs.get(key) for key in range(150)}
    assert read_charges(history) == charges


@pytest.mark.parametrize("seed", range(24))
def test_reads_equal_a_model_after_random_steps(folder: Path, open_history: OpenHistory, seed: int) -> None:  # noqa: C901
    """Two instances; rows of 20 bytes to 30 KB; the document is now and then written by another program."""
    draw = random.Random(seed)
    jobs: Rows = {}
    charges: Rows = {}
    first, second = open_history(), open_history()
    kinds = ("add", "add", "charge", "both", "delete", "restore", "update", "update", "compact", "reopen", "foreign")
    for step in range(150):
        history = draw.choice((first, second))
        row = {"n": step, "prompt": "x" * int(draw.paretovariate(0.5) % 30_000)}
        known = draw.choice(list(jobs)) if jobs else None
        match draw.choice(kinds):
            case "add" | "both" | "charge" as kind:
                with history.transaction() as transaction:
                    if kind != "charge":
                        jobs[transaction.add(row)] = row
                    if kind != "add":
                        charges[transaction.add_charge(row)] = row
            case "delete" | "restore" as kind if known:
                history.delete(known)
                gone = jobs.pop(known)
                if kind == "restore":
                    history.put(known, gone)
                    jobs[known] = gone
            case "update" if known:
                history.update(known, {"m": step})
                jobs[known] = jobs[known] | {"m": step}
            case "compact":
                history.compact()
            case "reopen":
                first.close(compact=draw.random() < 0.5)
                first = open_history()
            case "foreign" if draw.random() < 0.3 and jobs:
                first.close(compact=True)
                second.close(compact=True)
                document = folder / "history.json"
                document.write_text(json.dumps(json.loads(document.read_text()), indent=1))
                first, second = open_history(), open_history()
    verify_reads(first, jobs, charges)
    verify_reads(second, jobs, charges)
    first.compact()
    assert read_tables(folder) == {"jobs": jobs, "charges": charges}


def test_iter_pages_follows_changes_and_compaction(open_history: OpenHistory) -> None:
    history = open_history()
    history.add_many({"n": n} for n in range(30))
    slices = history.iter_pages(10)
    assert [key for key, _ in next(slices)] == list(range(30, 20, -1))
    history.update(20, {"state": "new"})
    history.compact()
    history.delete(19)
    assert [key for key, _ in next(slices)] == [20, 18, 17, 16, 15, 14, 13, 12, 11, 10]


def test_records_are_copies(open_history: OpenHistory) -> None:
    history = open_history()
    timeline = ["submitted"]
    key = history.add({"timeline": timeline})
    timeline.append("never said")
    found = history.get(key)
    assert found is not None
    found["timeline"].append("nor this")
    assert history.get(key) == {"timeline": ["submitted"]}


def test_read_changes_returns_what_another_instance_wrote(open_history: OpenHistory) -> None:
    one, other = open_history(), open_history()
    key = one.add({"n": 1})
    one.update(key, {"state": "running"})
    assert other.read_changes() == [Change("put", 1, {"n": 1}), Change("patch", 1, {"state": "running"})]
    assert other.read_changes() == one.read_changes() == []
    other.delete(key)
    assert one.read_changes() == [Change("delete", 1, {})]
    for _ in range(2):
        one.add({"n": 2})
        one.compact()
    assert [change.op for change in other.read_changes()] == ["reload"]
    assert [key for key, _ in other.recent(5)] == [3, 2]


def test_read_changes_is_complete_across_a_compaction(open_history: OpenHistory) -> None:
    """Changes made before, during and after another instance's compaction arrive once each."""
    files = HookedFileSystem()
    one, other, third = open_history(files), open_history(), open_history()
    one.add({"when": "before"})

    def meanwhile() -> None:
        third.add({"when": "during"})
        one.update(1, {"state": "during"})

    assert other.read_changes() == [Change("put", 1, {"when": "before"})]
    files.hook = meanwhile
    one.compact()
    third.add({"when": "after"})
    assert [(change.op, change.id) for change in other.read_changes()] == [("put", 2), ("patch", 1), ("put", 3)]
    assert [(change.op, change.id) for change in one.read_changes()] == [("put", 2), ("put", 3)]
    expected = [(3, {"when": "after"}), (2, {"when": "during"}), (1, {"when": "before", "state": "during"})]
    assert one.find_all() == other.find_all() == third.find_all() == expected
    assert other.add({"n": 4}) == 4


def test_concurrent_compactions_end_in_one(open_history: OpenHistory) -> None:
    files = HookedFileSystem()
    one, other = open_history(files), open_history()
    one.add({"n": 1})
    files.hook = other.compact
    one.compact()
    assert one.journal_size == 0
    other.read_changes()
    assert one.find_all() == other.find_all() == [(1, {"n": 1})]


def test_external_edit_during_a_compaction_survives(folder: Path, open_history: OpenHistory) -> None:
    def edit() -> None:
        with TinyDB(folder / "history.json") as database:
            database.table("jobs").insert(Document({"by": "hand"}, doc_id=50))

    files = HookedFileSystem()
    history = open_history(files)
    history.add({"n": 1})
    history.compact()
    history.add({"n": 2})
    files.hook = edit
    history.compact()
    history.compact()
    assert {"by": "hand"} in [record for _, record in history.find_all()]


def test_transaction_reads_concurrent_changes_and_writes_nothing_if_it_raises(open_history: OpenHistory) -> None:
    one, other = open_history(), open_history()
    key = one.add({"owner": None})

    def claim(error: Exception | None) -> None:
        with other.transaction() as transaction:
            assert [change.id for change in transaction.concurrent_changes] == [key]
            assert transaction.get(key) == {"owner": None}
            transaction.update(key, {"owner": "other"})
            assert transaction.get(key) == {"owner": "other"}
            assert transaction.add({"n": 2}) == 2
            if error:
                raise error

    with pytest.raises(KeyError):
        claim(KeyError())
    assert other.count() == 1
    claim(None)
    assert one.read_changes()[-1] == Change("put", 2, {"n": 2})
    assert one.get(key) == {"owner": "other"}


def test_external_edit_is_used_as_it_is(folder: Path, open_history: OpenHistory) -> None:
    history = open_history()
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


def test_storage_serves_tables_and_queries(folder: Path, open_history: OpenHistory) -> None:
    history = open_history()
    history.add_many({"n": n} for n in range(3))
    with history.transaction() as transaction:
        row_id = transaction.add_charge({"amount": "0.04"})
    with TinyDB(folder / "history.json", storage=DurableStorage) as database:
        table, charges = database.table("jobs"), database.table("charges")
        assert [job.doc_id for job in table.search(where("n") > 0)] == [2, 3]
        assert table.insert({"n": 3}) == 4
        table.update({"state": "done"}, where("n") == 1)
        table.remove(doc_ids=[1])
        assert [dict(row) for row in charges.all()] == [{"amount": "0.04"}]
        with pytest.raises(HistoryError, match="table jobs"):
            charges.remove(doc_ids=[row_id])
    assert [(c.op, c.id) for c in history.read_changes()] == [("put", 4), ("put", 2), ("delete", 1)]
    assert dict(history.find_all()) == {2: {"n": 1, "state": "done"}, 3: {"n": 2}, 4: {"n": 3}}


def test_storage_overwrites_no_concurrent_change(folder: Path, open_history: OpenHistory) -> None:
    """TinyDB counts ids by itself; a record added meanwhile must not vanish under one of them."""
    history = open_history()
    with TinyDB(folder / "history.json", storage=DurableStorage) as database:
        database.table("jobs").insert({"n": 1})
        state = database.storage.read()
        assert state is not None
        history.add({"n": 2})
        with pytest.raises(ConflictError):
            database.storage.write({**state, "jobs": {**state["jobs"], "2": {"mine": True}}})
    assert history.get(2) == {"n": 2}


def test_closed_history_raises(open_history: OpenHistory) -> None:
    history = open_history()
    history.close(compact=False)
    history.close(compact=True)
    for action in (lambda: history.add({}), history.read_changes):
        with pytest.raises(HistoryError, match="closed"):
            action()


@pytest.mark.parametrize("where", ["1", str(FIRST_CHARGE_ID)])
def test_charges_outlive_a_damaged_document(folder: Path, open_history: OpenHistory, where: str) -> None:
    history = open_history()
    for step in range(20):
        with history.transaction() as transaction:
            transaction.add({"n": step})
            transaction.add_charge({"n": step})
        if step == 10:
            history.compact()
    history.close(compact=True)
    document = folder / "history.json"
    document.write_bytes(document.read_bytes().replace(b'"%b":{' % where.encode(), b"#", 1))
    again = open_history()
    assert again.notices
    assert [row["n"] for row in read_charges(again).values()] == list(range(19, -1, -1))
    assert again.count() == 20
    with again.transaction() as transaction:
        assert transaction.add_charge({}) == FIRST_CHARGE_ID + 20
        assert transaction.add({}) == 21

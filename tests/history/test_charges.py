"""The table ``charges``: rows beside the jobs in the same document and journal."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tinydb import TinyDB

from eternal_tui.history.history import History
from eternal_tui.history.journal import FIRST_CHARGE_ID
from eternal_tui.history.tinydb_storage import DurableStorage
from tests.history.faults import UnsyncedFileSystem


def open_history(folder: Path) -> History:
    return History.open(folder, fs=UnsyncedFileSystem())


def read_charges(history: History) -> dict[int, object]:
    rows: dict[int, object] = {}
    before = None
    while page := history.charges(before, 7):
        rows.update(page)
        before = page[-1][0]
    assert list(rows) == sorted(rows, reverse=True)
    return rows


@pytest.mark.parametrize("seed", range(40))
def test_charges_equal_a_model_after_random_steps(swift_path: Path, seed: int) -> None:  # noqa: C901
    draw = random.Random(seed)
    folder = swift_path / "data"
    jobs: dict[int, object] = {}
    charges: dict[int, object] = {}
    first, second = open_history(folder), open_history(folder)
    for step in range(120):
        history = draw.choice((first, second))
        match draw.choice(("add", "add", "charge", "charge", "both", "delete", "update", "fold", "reopen", "foreign")):
            case "add":
                jobs[history.add({"n": step})] = {"n": step}
            case "charge":
                with history.transaction() as transaction:
                    row = {"n": step, "text": "x" * draw.choice((1, 1, 9000))}
                    charges[transaction.add_charge(row)] = row
            case "both":
                with history.transaction() as transaction:
                    jobs[transaction.add({"n": step})] = {"n": step}
                    charges[transaction.add_charge({"n": step})] = {"n": step}
            case "delete" if jobs:
                history.delete(gone := draw.choice(list(jobs)))
                del jobs[gone]
            case "update" if jobs:
                history.update(changed := draw.choice(list(jobs)), {"m": step})
                jobs[changed] = {**jobs[changed], "m": step}  # type: ignore[dict-item]
            case "fold":
                history.compact()
            case "reopen":
                first.close(compact=draw.random() < 0.5)
                first = open_history(folder)
            case "foreign" if draw.random() < 0.2:
                first.close(compact=True)
                second.close(compact=True)
                document = folder / "history.json"
                if document.exists():
                    document.write_text(json.dumps(json.loads(document.read_text()), indent=1))
                first, second = open_history(folder), open_history(folder)
    for history in (first, second):
        history.read_changes()
        assert dict(history.find_all()) == jobs
        assert history.count() == len(jobs)
        assert read_charges(history) == charges
    first.compact()
    second.close(compact=False)
    first.close(compact=True)
    tables = TinyDB(folder / "history.json") if jobs or charges else None
    if tables is not None:
        assert {row.doc_id: dict(row) for row in tables.table("charges").all()} == charges
        assert {row.doc_id: dict(row) for row in tables.table("jobs").all()} == jobs
        tables.close()


@pytest.mark.parametrize("where", ["jobs", "charges"])
def test_charges_outlive_a_damaged_document(swift_path: Path, where: str) -> None:
    folder = swift_path / "data"
    history = open_history(folder)
    for step in range(20):
        with history.transaction() as transaction:
            transaction.add({"n": step})
            transaction.add_charge({"n": step})
        if step == 10:
            history.compact()
    history.close(compact=True)
    document = folder / "history.json"
    data = document.read_bytes()
    document.write_bytes(data.replace(b'"1":{' if where == "jobs" else b'"%d":{' % FIRST_CHARGE_ID, b"#", 1))
    again = open_history(folder)
    assert again.notices
    assert [row["n"] for row in read_charges(again).values()] == list(range(19, -1, -1))  # type: ignore[index]
    assert again.count() == 20
    with again.transaction() as transaction:
        assert transaction.add_charge({}) == FIRST_CHARGE_ID + 20
        assert transaction.add({}) == 21
    again.close(compact=True)


def test_charges_are_read_through_tinydb_and_not_written(swift_path: Path) -> None:
    folder = swift_path / "data"
    history = open_history(folder)
    with history.transaction() as transaction:
        transaction.add({"n": 1})
        row_id = transaction.add_charge({"amount": "0.04"})
    with TinyDB(folder / "history.json", storage=DurableStorage) as database:
        assert [dict(row) for row in database.table("charges").all()] == [{"amount": "0.04"}]
        database.table("jobs").update({"n": 2}, doc_ids=[1])
        with pytest.raises(Exception, match="table jobs"):
            database.table("charges").remove(doc_ids=[row_id])
    history.close(compact=True)

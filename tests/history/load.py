"""A mixed load on one history through two instances, and the ledger of what was acknowledged."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eternal_tui.history import History, HistoryError
from eternal_tui.history.files import Files
from tests.history.faults import SwiftFiles

Records = dict[int, dict[str, Any]]


@dataclass
class Ledger:
    """``sure`` is what was acknowledged; ``possible`` what a crash within the present call may add to it."""

    sure: Records = field(default_factory=dict)
    possible: list[Records] = field(default_factory=list)
    minted: int = 0

    def snapshot(self) -> Ledger:
        return copy.deepcopy(self)

    def may_become(self, *states: Records) -> None:
        self.possible = list(states)

    def became(self, state: Records) -> None:
        self.sure = state
        self.possible = []


def record(number: int) -> dict[str, Any]:
    return {"n": number, "prompt": f"The person waves, take {number}", "timeline": [["submitted", number]]}


def mixed_load(
    folder: Path, files: Files, ledger: Ledger, *, steps: int, seed: int, failing: bool = False
) -> None:
    """Add, change, delete, restore, fold, close and open again; when ``failing``, go on after a refusal."""
    choose = random.Random(seed)
    instances: list[History] = []

    def attempt(action: Callable[[], object], after: Records) -> None:
        try:
            action()
        except HistoryError:
            if not failing:
                raise
            ledger.possible = []
        else:
            ledger.became(after)

    def instance() -> History:
        while len(instances) < 2:
            try:
                instances.append(History.open(folder, files=files))
            except HistoryError:
                if not failing:
                    raise
        return choose.choice(instances)

    for step in range(steps):
        history = instance()
        kind = choose.choices(
            ("add", "batch", "update", "progress", "delete", "restore", "fold", "close"), (6, 2, 6, 3, 2, 1, 4, 2)
        )[0]
        sure = ledger.sure
        known = choose.choice(sorted(sure)) if sure else None
        if kind in {"add", "batch"} or known is None:
            new = [record(step * 10 + k) for k in range(3 if kind == "batch" else 1)]
            states = [
                sure | {ledger.minted + 1 + k: new[k] for k in range(count)} for count in range(1, len(new) + 1)
            ]
            ledger.may_become(*states)
            before = ledger.minted

            def add(history: History = history, new: list[dict[str, Any]] = new) -> None:
                ids = history.add_many(new)
                assert ids == list(range(before + 1, before + 1 + len(new)))  # noqa: B023 - called at once
                ledger.minted = ids[-1]

            attempt(add, states[-1])
        elif kind in {"update", "progress"}:
            fields = {"progress": step} if kind == "progress" else {"state": f"s{step}"}
            after = sure | {known: sure[known] | fields}
            ledger.may_become(after)
            attempt(lambda: history.update(known, fields, durable=kind == "update"), after)  # noqa: B023
        elif kind in {"delete", "restore"}:
            after = {key: value for key, value in sure.items() if key != known}
            ledger.may_become(after)
            attempt(lambda: history.delete(known), after)  # noqa: B023
            if kind == "restore" and known not in ledger.sure:
                ledger.may_become(sure)
                attempt(lambda: history.put(known, sure[known]), sure)  # noqa: B023
        elif kind == "fold":
            attempt(history.fold, sure)
        else:
            instances.remove(history)
            attempt(lambda: history.close(fold=True), sure)  # noqa: B023
        history = instance()
        if not failing:
            history.changes()
            assert dict(history.find_all()) == ledger.sure
    for history in instances:
        history.close(fold=False)


def durable_part(records: Records) -> Records:
    """What a power cut must leave: progress is written without waiting for the disk."""
    return {key: {k: v for k, v in value.items() if k != "progress"} for key, value in records.items()}


def verify(folder: Path, ledger: Ledger, *, power_cut: bool, rotten: bool = False) -> list[str]:
    """Open what a crash left and hold it against the ledger; return the notices."""
    document = folder / "history.json"
    if document.exists() and not rotten:
        tables = json.loads(document.read_bytes())
        assert all(isinstance(job, dict) for job in tables["jobs"].values())
    history = History.open(folder, files=SwiftFiles())
    try:
        found = dict(history.find_all())
        allowed = [ledger.sure, *ledger.possible]
        if power_cut:
            found, allowed = durable_part(found), [durable_part(state) for state in allowed]
        assert found in allowed, (sorted(found), [sorted(state) for state in allowed], history.notices)
        assert history.count() == len(found)
        assert history.add({"after": "the crash"}) > max([ledger.minted, *found])
        history.fold()
        assert not [notice for notice in history.notices if "lost" in notice and "none is lost" not in notice]
        return history.notices
    finally:
        history.close(fold=False)

"""A mixed load on one history through two instances, and the ledger of what was acknowledged."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eternal_tui.history.errors import HistoryError
from eternal_tui.history.filesystem import FileSystem
from eternal_tui.history.history import History
from tests.history.faults import UnsyncedFileSystem

Records = dict[int, dict[str, Any]]


@dataclass
class Ledger:
    """Acknowledged changes, and in ``possible_states`` what a crash within the present call may add to them."""

    acknowledged: Records = field(default_factory=dict)
    possible_states: list[Records] = field(default_factory=list)
    last_id: int = 0

    def snapshot(self) -> Ledger:
        return copy.deepcopy(self)

    def commit(self, state: Records) -> None:
        self.acknowledged = state
        self.possible_states = []


def make_record(number: int) -> dict[str, Any]:
    return {"n": number, "prompt": f"The person waves, take {number}", "timeline": [["submitted", number]]}


def run_mixed_load(
    folder: Path, fs: FileSystem, ledger: Ledger, *, steps: int, seed: int, failing: bool = False
) -> None:
    """Add, change, delete, restore, compact, close and open again; when ``failing``, go on after a refusal."""
    _MixedLoad(folder, fs, ledger, random.Random(seed), failing=failing).run(steps)


class _MixedLoad:
    def __init__(self, folder: Path, fs: FileSystem, ledger: Ledger, choose: random.Random, *, failing: bool) -> None:
        self.folder = folder
        self.fs = fs
        self.ledger = ledger
        self.choose = choose
        self.failing = failing
        self.histories: list[History] = []

    def run(self, steps: int) -> None:
        weights = {self.add: 8, self.update: 9, self.delete: 2, self.restore: 1, self.compact: 4, self.close: 2}
        for step in range(1, steps + 1):
            action = self.choose.choices(list(weights), list(weights.values()))[0]
            if not self.ledger.acknowledged:
                action = self.add
            action(step)
            if not self.failing:
                history = self.pick_history()
                history.read_changes()
                assert dict(history.find_all()) == self.ledger.acknowledged
        for history in self.histories:
            history.close(compact=False)

    def pick_history(self) -> History:
        while len(self.histories) < 2:
            try:
                self.histories.append(History.open(self.folder, fs=self.fs))
            except HistoryError:
                if not self.failing:
                    raise
        return self.choose.choice(self.histories)

    def attempt(self, action: Callable[[], object], *after: Records) -> bool:
        """Do it; ``after`` lists what a crash within may leave, last what must be there when it returns."""
        self.ledger.possible_states = list(after)
        try:
            action()
        except HistoryError:
            if not self.failing:
                raise
            self.ledger.possible_states = []
            return False
        self.ledger.commit(after[-1])
        return True

    def add(self, step: int) -> None:
        history, first = self.pick_history(), self.ledger.last_id + 1
        new = {first + k: make_record(step * 10 + k) for k in range(self.choose.choice((1, 1, 1, 3)))}
        partly = [self.ledger.acknowledged | dict(list(new.items())[:count]) for count in range(1, len(new) + 1)]

        def add() -> None:
            assert history.add_many(new.values()) == list(new)
            self.ledger.last_id = max(new)

        self.attempt(add, *partly)

    def update(self, step: int) -> None:
        history, known = self.pick_history(), self._pick_id()
        durable = self.choose.random() < 0.7
        fields = {"state": f"s{step}"} if durable else {"progress": step}
        after = self.ledger.acknowledged | {known: self.ledger.acknowledged[known] | fields}
        self.attempt(lambda: history.update(known, fields, durable=durable), after)

    def delete(self, _step: int) -> None:
        history, known = self.pick_history(), self._pick_id()
        after = {key: value for key, value in self.ledger.acknowledged.items() if key != known}
        self.attempt(lambda: history.delete(known), after)

    def restore(self, _step: int) -> None:
        before = self.ledger.acknowledged
        self.delete(_step)
        history = self.pick_history()
        for known in before.keys() - self.ledger.acknowledged.keys():
            gone = before[known]
            self.attempt(lambda: history.put(known, gone), before)  # noqa: B023 - called at once

    def compact(self, _step: int) -> None:
        self.attempt(self.pick_history().compact, self.ledger.acknowledged)

    def close(self, _step: int) -> None:
        history = self.pick_history()
        self.histories.remove(history)
        self.attempt(lambda: history.close(compact=True), self.ledger.acknowledged)

    def _pick_id(self) -> int:
        return self.choose.choice(sorted(self.ledger.acknowledged))


def without_progress(records: Records) -> Records:
    """State that must survive a power cut: progress is written without waiting for the disk."""
    return {key: {k: v for k, v in value.items() if k != "progress"} for key, value in records.items()}


def verify_recovery(folder: Path, ledger: Ledger, *, power_cut: bool, is_document_corrupt: bool = False) -> list[str]:
    """Open what a crash left and hold it against the ledger; return the notices."""
    document = folder / "history.json"
    if document.exists() and not is_document_corrupt:
        tables = json.loads(document.read_bytes())
        assert all(isinstance(job, dict) for job in tables["jobs"].values())
    history = History.open(folder, fs=UnsyncedFileSystem())
    try:
        found = dict(history.find_all())
        allowed = [ledger.acknowledged, *ledger.possible_states]
        if power_cut:
            found, allowed = without_progress(found), [without_progress(state) for state in allowed]
        assert found in allowed, (sorted(found), [sorted(state) for state in allowed], history.notices)
        assert history.count() == len(found)
        assert history.add({"after": "the crash"}) > max([ledger.last_id, *found])
        history.compact()
        alarming = [
            notice
            for notice in history.notices
            if "lost" in notice.replace("none is lost", "") or "is unknown" in notice
        ]
        assert not alarming, (folder.name, alarming, ledger)
        return history.notices
    finally:
        history.close(compact=False)

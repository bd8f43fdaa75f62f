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
from eternal_tui.history.filesystem import Files
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

    def became(self, state: Records) -> None:
        self.sure = state
        self.possible = []


def record(number: int) -> dict[str, Any]:
    return {"n": number, "prompt": f"The person waves, take {number}", "timeline": [["submitted", number]]}


def mixed_load(folder: Path, files: Files, ledger: Ledger, *, steps: int, seed: int, failing: bool = False) -> None:
    """Add, change, delete, restore, fold, close and open again; when ``failing``, go on after a refusal."""
    _MixedLoad(folder, files, ledger, random.Random(seed), failing=failing).run(steps)


class _MixedLoad:
    def __init__(self, folder: Path, files: Files, ledger: Ledger, choose: random.Random, *, failing: bool) -> None:
        self.folder = folder
        self.files = files
        self.ledger = ledger
        self.choose = choose
        self.failing = failing
        self.instances: list[History] = []

    def run(self, steps: int) -> None:
        weights = {
            self.add: 8,
            self.update: 9,
            self.delete: 2,
            self.restore: 1,
            self.fold: 4,
            self.close: 2,
        }
        for step in range(1, steps + 1):
            action = self.choose.choices(list(weights), list(weights.values()))[0]
            if not self.ledger.sure:
                action = self.add
            action(step)
            if not self.failing:
                history = self.instance()
                history.changes()
                assert dict(history.find_all()) == self.ledger.sure
        for history in self.instances:
            history.close(fold=False)

    def instance(self) -> History:
        while len(self.instances) < 2:
            try:
                self.instances.append(History.open(self.folder, files=self.files))
            except HistoryError:
                if not self.failing:
                    raise
        return self.choose.choice(self.instances)

    def attempt(self, action: Callable[[], object], *after: Records) -> bool:
        """Do it; ``after`` lists what a crash within may leave, last what must be there when it returns."""
        self.ledger.possible = list(after)
        try:
            action()
        except HistoryError:
            if not self.failing:
                raise
            self.ledger.possible = []
            return False
        self.ledger.became(after[-1])
        return True

    def add(self, step: int) -> None:
        history, first = self.instance(), self.ledger.minted + 1
        new = {first + k: record(step * 10 + k) for k in range(self.choose.choice((1, 1, 1, 3)))}
        partly = [self.ledger.sure | dict(list(new.items())[:count]) for count in range(1, len(new) + 1)]

        def add() -> None:
            assert history.add_many(new.values()) == list(new)
            self.ledger.minted = max(new)

        self.attempt(add, *partly)

    def update(self, step: int) -> None:
        history, known = self.instance(), self._known()
        durable = self.choose.random() < 0.7
        fields = {"state": f"s{step}"} if durable else {"progress": step}
        after = self.ledger.sure | {known: self.ledger.sure[known] | fields}
        self.attempt(lambda: history.update(known, fields, durable=durable), after)

    def delete(self, _step: int) -> None:
        history, known = self.instance(), self._known()
        after = {key: value for key, value in self.ledger.sure.items() if key != known}
        self.attempt(lambda: history.delete(known), after)

    def restore(self, _step: int) -> None:
        before = self.ledger.sure
        self.delete(_step)
        history = self.instance()
        for known in before.keys() - self.ledger.sure.keys():
            gone = before[known]
            self.attempt(lambda: history.put(known, gone), before)  # noqa: B023 - called at once

    def fold(self, _step: int) -> None:
        self.attempt(self.instance().fold, self.ledger.sure)

    def close(self, _step: int) -> None:
        history = self.instance()
        self.instances.remove(history)
        self.attempt(lambda: history.close(fold=True), self.ledger.sure)

    def _known(self) -> int:
        return self.choose.choice(sorted(self.ledger.sure))


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
        alarming = [
            notice
            for notice in history.notices
            if "lost" in notice.replace("none is lost", "") or "cannot be told" in notice
        ]
        assert not alarming, (folder.name, alarming, ledger)
        return history.notices
    finally:
        history.close(fold=False)

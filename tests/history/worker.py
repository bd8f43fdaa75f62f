"""A process that works on a history until it is done or killed, saying each change once it is acknowledged.

``python -m tests.history.worker FOLDER NAME CHANGES SEED``
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from eternal_tui.history.history import History
from tests.history.faults import UnsyncedFileSystem


def report(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def wait_for_start() -> None:
    report("ready", 0, 0)
    sys.stdin.readline()


def work(folder: Path, name: str, changes: int, seed: int) -> None:
    choose = random.Random(seed)
    history = History.open(folder, fs=UnsyncedFileSystem())
    wait_for_start()
    own: list[int] = []
    seen: set[int] = set()
    for number in range(changes):
        if number == changes // 2:
            # What each did so far is there before any of them goes on: all have something of the others to see.
            wait_for_start()
        kind = choose.random()
        if kind < 0.5 or not own:
            own.append(history.add({"by": name, "n": number, "prompt": "x" * choose.randrange(2000)}))
            report("add", own[-1], number)
        elif kind < 0.85:
            record_id = choose.choice(own)
            history.update(record_id, {"state": number}, durable=choose.random() < 0.7)
            report("update", record_id, number)
        elif kind < 0.9:
            record_id = own.pop(choose.randrange(len(own)))
            report("deleting", record_id, number)
            history.delete(record_id)
            report("delete", record_id, number)
        else:
            history.compact()
        for change in history.read_changes():
            if change.op == "reload":
                seen |= {key for key, record in history.find_all() if record["by"] != name}
            elif change.op == "put":
                assert change.fields["by"] != name
                seen.add(change.id)
    history.close(compact=choose.random() < 0.5)
    report("seen", sorted(seen))


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

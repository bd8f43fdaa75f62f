"""What the history costs: ``python -m tests.benchmarks.bench_history [FOLDER]`` prints a table, then JSON.

Only ratios within one run are worth keeping. FOLDER chooses the disk; a temporary folder by default.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinydb import TinyDB

from eternal_tui.history.history import History

SIZES = (100, 100_000)
PEER_SIZES = (100, 1_000)
ROUNDS = 100
TICK = 0.005


def record(number: int) -> dict[str, Any]:
    return {"n": number, "state": "saved", "prompt": f"The person waves, take {number}. ".ljust(940, "x")}


def median_ms(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


@contextmanager
def raw_appends(folder: Path) -> Iterator[Callable[[], None]]:
    """The lower bound: 1 KB appended and fdatasynced."""
    fd = os.open(folder / "raw", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    data = b"x" * 1023 + b"\n"

    def append() -> None:
        os.write(fd, data)
        os.fdatasync(fd)

    try:
        yield append
    finally:
        os.close(fd)


def in_turns(action: Callable[[], object], floor: Callable[[], None]) -> tuple[float, float, float]:
    """Return the medians of both in ms and that of their ratios in turns: a disk is quick or slow by the second."""
    times, floors = [], []
    for _ in range(ROUNDS):
        floors.append(median_ms(floor, 1))
        times.append(median_ms(action, 1))
    ratio = statistics.median(one / other for one, other in zip(times, floors, strict=True))
    return statistics.median(times), statistics.median(floors), ratio


async def _stall_while(action: Callable[[], object]) -> tuple[float, float]:
    longest = 0.0
    running = asyncio.create_task(asyncio.to_thread(action))
    begun = time.perf_counter()
    while not running.done():
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        longest = max(longest, time.perf_counter() - before - TICK)
    await running
    return (time.perf_counter() - begun) * 1000, longest * 1000


def measure(folder: Path, size: int) -> dict[str, float]:
    filling = History.open(folder)
    filling.add_many(record(number) for number in range(size))
    filling.close(compact=True)
    row: dict[str, float] = {}
    begun = time.perf_counter()
    history = History.open(folder)
    row["open"] = (time.perf_counter() - begun) * 1000
    numbers = iter(range(size, 10 * size + 10 * ROUNDS))
    with raw_appends(folder) as floor:
        row["add"], row["raw append"], row["add / raw"] = in_turns(lambda: history.add(record(next(numbers))), floor)
        row["update"], _, row["update / raw"] = in_turns(
            lambda: history.update(size // 2 + 1, {"state": "running", "note": "y" * 900}), floor
        )
    row["progress, no fsync"] = median_ms(lambda: history.update(size // 2, {"progress": 5}, durable=False))
    row["changes, none"] = median_ms(history.read_changes)
    row["get"] = median_ms(lambda: history.get(size // 3))
    row["recent(200)"] = median_ms(lambda: history.recent(200), 10)
    row["fold"], row["fold, longest stall"] = asyncio.run(_stall_while(history.compact))
    row["load all in slices"], row["load, longest stall"] = asyncio.run(
        _stall_while(lambda: sum(len(page) for page in history.iter_pages()))
    )
    history.close(compact=False)
    return row


def measure_stock(folder: Path, size: int) -> dict[str, float]:
    """The peer: TinyDB with its own storage."""
    folder.mkdir()
    numbers = iter(range(size + ROUNDS))
    with TinyDB(folder / "history.json") as database:
        table = database.table("jobs")
        table.insert_multiple(record(next(numbers)) for _ in range(size))
        return {
            "add": median_ms(lambda: table.insert(record(next(numbers))), 20),
            "update": median_ms(lambda: table.update({"state": "running"}, doc_ids=[size // 2]), 20),
            "get": median_ms(lambda: table.get(doc_id=size // 3), 20),
        }


def main() -> None:
    base = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        rows = {f"history, {size:,}": measure(base / f"ours-{size}", size) for size in SIZES}
        rows |= {f"stock TinyDB, {size:,}": measure_stock(base / f"stock-{size}", size) for size in PEER_SIZES}
    finally:
        shutil.rmtree(base)
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(map(len, names))
    print(f"{'ms (median)':{width}}", *(f"{title:>20}" for title in rows))
    for name in names:
        cells = (f"{row[name]:20.3f}" if name in row else f"{'–':>20}" for row in rows.values())
        print(f"{name:{width}}", *cells)
    print(json.dumps({"machine": platform.platform(), "python": platform.python_version(), "rows": rows}))


if __name__ == "__main__":
    main()

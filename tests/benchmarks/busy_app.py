"""The app with jobs that change BUSY times a second and a ticker that notes in STALLS how long the loop stood still."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path

import msgspec

from eternal_tui.cli.main import run_process
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.model import Job

TICK = 0.005
WAIT = 0.25
BEATS = 20
FOLD_EVERY = 5.0


async def change(desk: JobEngine, a_second: int) -> None:
    """Move running jobs on, evenly over the second."""
    chance = random.Random(7)
    while True:
        await asyncio.sleep(1 / BEATS)
        running = [job.id for job in desk.store.newest_first() if job.state == "running"]
        for job_id in chance.sample(running, min(len(running), a_second // BEATS)):
            desk.store.change_in_memory(job_id, _moved)


def _moved(job: Job) -> Job:
    return msgspec.structs.replace(job, progress=(job.progress + 1) % 99)


async def fold_again_and_again(desk: JobEngine, path: Path) -> None:
    """Fold the history every FOLD_EVERY seconds while stalls are counted, which otherwise happens once an hour."""
    while True:
        await asyncio.sleep(FOLD_EVERY)
        if counting(path):
            await asyncio.to_thread(desk.store.history.compact)


async def note_stalls(path: Path) -> None:
    """Sleep again and again for TICK seconds and write every second by how many ms it was exceeded, at p99 and most.

    Before it counts there is no ticker, so that what the app itself costs can be measured.
    """
    while not counting(path):  # noqa: ASYNC110 - another process says when
        await asyncio.sleep(WAIT)
    late: list[float] = []
    worked: list[float] = []
    written = time.monotonic()
    while True:
        before, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(TICK)
        late.append((time.perf_counter() - before - TICK) * 1000)
        worked.append((time.process_time() - used) * 1000)
        if time.monotonic() - written > 1.0:
            written = time.monotonic()
            keep_stalls(path, sorted(late), sorted(worked))


def keep_stalls(path: Path, late: list[float], worked: list[float]) -> None:
    """Write the figures down; what others take of the processor counts in `most`, and does not in `own`."""
    figures = {"p99": late[int(len(late) * 0.99)], "most": late[-1], "own": worked[-1], "n": len(late)}
    path.write_text(json.dumps(figures))


def counting(path: Path) -> bool:
    """Whether the measuring process wants the stalls from now on."""
    return path.with_suffix(".go").exists()


def main() -> int:
    start = JobEngine.start
    tasks: list[asyncio.Task[None]] = []

    async def started(self: JobEngine, **options: object) -> None:
        await start(self, **options)  # type: ignore[arg-type]
        if busy := int(os.environ.get("BUSY", "0")):
            tasks.append(asyncio.create_task(change(self, busy)))
        if path := os.environ.get("STALLS"):
            tasks.append(asyncio.create_task(note_stalls(Path(path))))
            tasks.append(asyncio.create_task(fold_again_and_again(self, Path(path))))

    JobEngine.start = started  # type: ignore[method-assign]
    return run_process()


if __name__ == "__main__":
    sys.exit(main())

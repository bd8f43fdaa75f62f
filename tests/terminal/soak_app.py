"""The app with a driver that submits SOAK_JOBS images, fifty at a time, as soon as those before are saved.

After each of SOAK_PAUSES it folds its history and stands still until a file named after it is there, so that it can be
measured at rest. No signal: a handler of the event loop's would take the app's own from it, and it would not end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from eternal_tui.api.models import GenerateRequest
from eternal_tui.cli.main import run_process
from eternal_tui.jobs.engine import JobEngine

BATCH_SIZE = 50
CHECK_INTERVAL_SECONDS = 0.1
"""Seconds between two looks for the word to go on."""


async def submit_all(jobs_engine: JobEngine, count: int, progress_file: Path, pauses: frozenset[int]) -> None:
    """Submit them all and note after each fifty how many have been saved so far."""
    for first in range(0, count, BATCH_SIZE):
        requests = [
            GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
            for number in range(first, first + BATCH_SIZE)
        ]
        jobs = await jobs_engine.submit_many(requests, confirmed=True)
        await asyncio.gather(*(jobs_engine.wait_until_done(job.id) for job in jobs))
        saved = first + BATCH_SIZE
        if saved in pauses:
            # Changes wait in memory for a fold, up to 4 MB of them, which is not for good.
            await asyncio.to_thread(jobs_engine.store.history.compact)
        await asyncio.to_thread(progress_file.write_text, str(saved))
        if saved in pauses:
            await asyncio.to_thread(_wait_for_file, progress_file.with_name(f"go-on-{saved}"))


def _wait_for_file(until: Path) -> None:
    while not until.exists():
        time.sleep(CHECK_INTERVAL_SECONDS)


def main() -> int:
    start = JobEngine.start
    tasks: list[asyncio.Task[None]] = []

    async def started(self: JobEngine, **options: object) -> None:
        await start(self, **options)  # type: ignore[arg-type]
        if count := int(os.environ.get("SOAK_JOBS", "0")):
            pauses = frozenset(map(int, os.environ["SOAK_PAUSES"].split()))
            tasks.append(asyncio.create_task(submit_all(self, count, Path(os.environ["SOAK_NOTED"]), pauses)))

    JobEngine.start = started  # type: ignore[method-assign]
    return run_process()


if __name__ == "__main__":
    sys.exit(main())

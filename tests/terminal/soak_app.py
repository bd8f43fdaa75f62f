"""The app with somebody who submits SOAK_JOBS pictures, fifty at a time, as soon as those before are saved.

After each of SOAK_PAUSES it folds its history and stands still until SIGUSR1, so that it can be measured at rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from eternal_tui.api.request import GenerateRequest
from eternal_tui.cli.command import run_process
from eternal_tui.jobs.desk import JobDesk

AT_ONCE = 50


async def submit_all(desk: JobDesk, count: int, noted: Path, pauses: frozenset[int]) -> None:
    """Submit them all and note after each fifty how many have been saved so far."""
    go_on = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, go_on.set)
    for first in range(0, count, AT_ONCE):
        requests = [
            GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
            for number in range(first, first + AT_ONCE)
        ]
        jobs = await desk.submit_many(requests, confirmed=True)
        await asyncio.gather(*(desk.settled(job.id) for job in jobs))
        saved = first + AT_ONCE
        if saved in pauses:
            # Changes wait in memory for a fold, up to 4 MB of them, which is not for good.
            await asyncio.to_thread(desk._roster.history.fold)
        await asyncio.to_thread(noted.write_text, str(saved))
        if saved in pauses:
            await go_on.wait()
            go_on.clear()


def main() -> int:
    start = JobDesk.start
    tasks: list[asyncio.Task[None]] = []

    async def started(self: JobDesk, **options: object) -> None:
        await start(self, **options)  # type: ignore[arg-type]
        if count := int(os.environ.get("SOAK_JOBS", "0")):
            pauses = frozenset(map(int, os.environ["SOAK_PAUSES"].split()))
            tasks.append(asyncio.create_task(submit_all(self, count, Path(os.environ["SOAK_NOTED"]), pauses)))

    JobDesk.start = started  # type: ignore[method-assign]
    return run_process()


if __name__ == "__main__":
    sys.exit(main())

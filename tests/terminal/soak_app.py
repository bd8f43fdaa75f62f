"""The app with somebody who submits SOAK_JOBS pictures, fifty at a time, as soon as those before are saved."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from eternal_tui.api.request import GenerateRequest
from eternal_tui.cli.command import run_process
from eternal_tui.jobs.desk import JobDesk

AT_ONCE = 50


async def submit_all(desk: JobDesk, count: int, noted: Path) -> None:
    """Submit them all and note after each fifty how many have been saved so far."""
    for first in range(0, count, AT_ONCE):
        requests = [
            GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
            for number in range(first, first + AT_ONCE)
        ]
        jobs = await desk.submit_many(requests, confirmed=True)
        await asyncio.gather(*(desk.settled(job.id) for job in jobs))
        await asyncio.to_thread(noted.write_text, str(first + AT_ONCE))


def main() -> int:
    start = JobDesk.start
    tasks: list[asyncio.Task[None]] = []

    async def started(self: JobDesk, **options: object) -> None:
        await start(self, **options)  # type: ignore[arg-type]
        if count := int(os.environ.get("SOAK_JOBS", "0")):
            tasks.append(asyncio.create_task(submit_all(self, count, Path(os.environ["SOAK_NOTED"]))))

    JobDesk.start = started  # type: ignore[method-assign]
    return run_process()


if __name__ == "__main__":
    sys.exit(main())

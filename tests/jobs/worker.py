"""A process that works at a desk until it is killed, saying each id once it is shown.

``python -m tests.jobs.worker FOLDER BASE_URL SEED``, with the key in the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from eternal_tui.api.models import GenerateRequest
from eternal_tui.config import Settings
from eternal_tui.services import Workbench

FAULTS = ("", "", "", "", "fault:lost-answer", "fault:drop-before", "fault:charged-502", "fault:500", "fault:failed")


def say(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Worker:
    """A desk under a mixed load."""

    def __init__(self, folder: Path, base_url: str, seed: int) -> None:
        self.choose = random.Random(seed)
        self.bench = Workbench(Settings(data_dir=folder, base_url=base_url), dict(os.environ))
        self.desk = self.bench.desk
        self.said: set[int] = set()

    async def run(self) -> None:
        await self.desk.start()
        self.shown(frozenset(job.id for job in self.desk.listing()))
        self.desk.subscribe(self.shown)
        say("ready", 0, "")
        await asyncio.gather(self.submit(), self.submit(), self.tidy())

    def shown(self, ids: frozenset[int]) -> None:
        for job_id in ids - self.said:
            job = self.desk.job(job_id)
            if job is not None and job.request_id is not None:
                self.said.add(job_id)
                say("shown", job_id, job.request_id)

    async def submit(self) -> None:
        while True:
            prompt = f"At sea {self.choose.choice(FAULTS)}"
            if self.choose.random() < 0.15:
                await self.desk.create_character(prompt)
                continue
            await self.desk.submit(GenerateRequest(character="6870", prompt=prompt, type="image"))

    async def tidy(self) -> None:
        while True:
            await asyncio.sleep(self.choose.random() * 0.02)
            ended = [job for job in self.desk.listing() if job.ended and not job.wants_file and job.request_id]
            if len(ended) > 4 and self.choose.random() < 0.3:
                job = self.choose.choice(ended)
                say("deleting", job.id, job.request_id)
                await self.desk.delete([job.id])
            elif self.choose.random() < 0.2:
                await asyncio.to_thread(self.bench.history.fold)


if __name__ == "__main__":
    asyncio.run(Worker(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run())

"""A process that works at a engine until it is killed, saying each id once it is shown.

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
from eternal_tui.config.settings import Settings
from eternal_tui.services import Services

FAULTS = ("", "", "", "", "fault:lost-answer", "fault:drop-before", "fault:charged-502", "fault:500", "fault:failed")


def report(*values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Worker:
    """A engine under a mixed load."""

    def __init__(self, folder: Path, base_url: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self.services = Services(Settings(data_dir=folder, base_url=base_url), dict(os.environ))
        self.engine = self.services.jobs
        self.reported_ids: set[int] = set()

    async def run(self) -> None:
        await self.engine.start()
        self.report_new_ids(frozenset(job.id for job in self.engine.store.newest_first()))
        self.engine.store.subscribe(self.report_new_ids)
        report("ready", 0, "")
        await asyncio.gather(self.submit_repeatedly(), self.submit_repeatedly(), self.delete_and_compact())

    def report_new_ids(self, ids: frozenset[int]) -> None:
        for job_id in ids - self.reported_ids:
            job = self.engine.store.get(job_id)
            if job is not None and job.request_id is not None:
                self.reported_ids.add(job_id)
                report("shown", job_id, job.request_id)

    async def submit_repeatedly(self) -> None:
        while True:
            prompt = f"At sea {self.rng.getrandbits(64)} {self.rng.choice(FAULTS)}"
            if self.rng.random() < 0.15:
                await self.engine.create_character(prompt)
                continue
            await self.engine.submit(GenerateRequest(character="6870", prompt=prompt, type="image"))

    async def delete_and_compact(self) -> None:
        while True:
            await asyncio.sleep(self.rng.random() * 0.02)
            ended = [
                job
                for job in self.engine.store.newest_first()
                if job.is_ended and not job.needs_download and job.request_id
            ]
            if len(ended) > 4 and self.rng.random() < 0.3:
                job = self.rng.choice(ended)
                report("deleting", job.id, job.request_id)
                await self.engine.delete([job.id])
            elif self.rng.random() < 0.2:
                await asyncio.to_thread(self.services.history.compact)


if __name__ == "__main__":
    asyncio.run(Worker(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run())

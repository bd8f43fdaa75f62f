"""A workbench whose history holds jobs with real files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from eternal_tui.jobs.model import FileState, Job, JobState, MediaFacts, to_record
from eternal_tui.services import Workbench
from tests.media.files import write_clip
from tests.tui.jobs import a_job
from tests.tui.screens.stage import bench_of


def saved(name: str, **fields: Any) -> Job:
    """Return a finished job whose file has that name; a clip by its suffix."""
    kind: Any = "video" if name.endswith(".mp4") else "image"
    given = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "file": name, "kind": kind}
    return a_job(**{**given, **fields})


def picture_file(path: Path, colour: str = "red", size: tuple[int, int] = (64, 64)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def _make_file(job: Job, results: Path) -> MediaFacts | None:
    if job.file is None:
        return None
    if job.request.type == "video":
        write_clip(results / job.file)
        return MediaFacts(bytes=1_000, width=96, height=64, seconds=1.0, codec="h264")
    picture_file(results / job.file)
    return MediaFacts(bytes=1_000, width=64, height=64)


@asynccontextmanager
async def bench_with(folder: Path, *jobs: Job, **settings: Any) -> AsyncIterator[tuple[Workbench, list[Job]]]:
    """Open a workbench with these jobs, oldest first, each file it names made as a small one; yield it and them."""
    async with bench_of(folder, **settings) as bench:
        bench.desk.results.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        for plain in jobs:
            job = msgspec.structs.replace(plain, facts=_make_file(plain, bench.desk.results))
            kept.append(msgspec.structs.replace(job, id=bench.history.add(to_record(job))))
        await bench.desk.start()
        yield bench, kept

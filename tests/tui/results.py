"""A workbench whose history holds jobs with real files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, to_record
from eternal_tui.services import Services
from tests.media.files import write_video
from tests.tui.jobs import make_job
from tests.tui.screens.stage import open_services


def saved_job(name: str, **fields: Any) -> Job:
    """Return a finished job whose file has that name; a clip by its suffix."""
    kind: Any = "video" if name.endswith(".mp4") else "image"
    given = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "file": name, "kind": kind}
    return make_job(**{**given, **fields})


def write_image(path: Path, colour: str = "red", size: tuple[int, int] = (64, 64)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def _write_result_file(job: Job, results: Path) -> FileInfo | None:
    if job.file is None:
        return None
    if job.request.type == "video":
        size = write_video(results / job.file).stat().st_size
        return FileInfo(bytes=size, width=96, height=64, seconds=1.0, codec="h264")
    size = write_image(results / job.file).stat().st_size
    return FileInfo(bytes=size, width=64, height=64)


@asynccontextmanager
async def open_services_with_jobs(
    folder: Path, *jobs: Job, **settings: Any
) -> AsyncIterator[tuple[Services, list[Job]]]:
    """Open a workbench with these jobs, oldest first, each file it names made as a small one; yield it and them."""
    async with open_services(folder, **settings) as bench:
        bench.jobs.results_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        for plain in jobs:
            job = msgspec.structs.replace(plain, file_info=_write_result_file(plain, bench.jobs.results_dir))
            kept.append(msgspec.structs.replace(job, id=bench.history.add(to_record(job))))
        await bench.jobs.start()
        yield bench, kept

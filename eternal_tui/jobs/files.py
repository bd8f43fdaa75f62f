"""Which file of the results folder is a job's: the history is a file that others can write, and is not believed."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from eternal_tui.jobs.model import FileState, Job

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(?:jpg|png|webp|gif|avif|mp4|mov|webm|bin)"


def file_name(job: Job) -> str | None:
    """Return the name of the job's saved file, None where it has none or where no download of ours is named so."""
    if job.file is None or job.file_state is not FileState.SAVED or re.fullmatch(_NAME, job.file) is None:
        return None
    return job.file


def result_path(job: Job, results: Path) -> Path | None:
    """Return where the job's verified file is, None where there is none to open.

    A link, a pipe or a folder in its place is none; where nothing is in its place, whoever opens it finds out.
    """
    name = file_name(job)
    if name is None or job.encrypted:
        return None
    path = results / name
    try:
        mode = path.lstat().st_mode
    except OSError:
        return path
    return path if stat.S_ISREG(mode) and not results.is_symlink() else None

"""What a saved copy of a result is called: a name of the program's and the person's, no path from the service."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path

from eternal_tui.core.sanitize import shown
from eternal_tui.jobs.model import Job

NAME_LIMIT = 120
"""Characters of a proposed name: as many as a line shows."""

BYTES_LIMIT = 200
"""Bytes of a proposed name: with number and suffix under the 255 that most disks allow."""

_FIELD = r"\{(date|time|character|type|id)\}"
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


def proposed_name(job: Job, template: str, suffix: str) -> str:
    """Return the file name that the template makes for the job, ending in the verified file's own `suffix`.

    Unknown fields stay as they are written. Times are local, of when the job was made.
    """
    then = _local(job.created_at)
    fields = {
        "date": then.strftime("%Y-%m-%d"),
        "time": then.strftime("%H%M%S"),
        "character": job.name or job.request.character,
        "type": "clip" if job.request.type == "video" else "picture",
        "id": str(job.id),
    }
    return safe_name(re.sub(_FIELD, lambda found: fields[found[1]], template), fallback=f"job-{job.id}") + suffix


def _local(at: float) -> datetime:
    try:
        return datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def safe_name(text: str, *, fallback: str) -> str:
    """Return `text` as one plain file name that no system and no shell trips over; `fallback` where nothing is left.

    Letters and digits of every script stay; separators, control and direction characters, quotes and shell signs
    become a hyphen; no leading dot or hyphen.
    """
    visible = shown(text, limit=4 * NAME_LIMIT)
    kept = "".join(one if one in "._-" or unicodedata.category(one)[0] in "LMN" else "-" for one in visible)
    name = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", kept))[:NAME_LIMIT]
    name = name.encode()[:BYTES_LIMIT].decode(errors="ignore").strip(".-_ ")
    return fallback if not name or name.casefold() in _DEVICES else name


def numbered(path: Path, number: int) -> Path:
    """Return the path for the `number`th file of that name: the first keeps it, others end in -2, -3 … ."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")

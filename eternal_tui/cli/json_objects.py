"""What each command prints with --json, as types: the JSON schemas are made of them."""

from __future__ import annotations

import msgspec

from eternal_tui.jobs.billing.statistics import Statistics
from eternal_tui.jobs.job_json import JobJson


class JobCopy(JobJson, kw_only=True):
    """A job, and the path of the copy that was made of its file."""

    output: str | None


class JobEvent(JobCopy, kw_only=True):
    """The whole job after an event. `time` is ISO 8601 in UTC."""

    event: str
    time: str


class ListedJob(JobJson, kw_only=True):
    """A job, and what all jobs of the history cost; the same on each line."""

    spent_today: float
    spent_in_all: float


class CharacterJson(msgspec.Struct, kw_only=True):
    """One public character; `age` in years."""

    id: str
    name: str
    username: str | None
    age: int | None
    gender: str | None
    category: str | None
    status: str | None
    description: str | None


class CheckJson(msgspec.Struct, kw_only=True):
    """One check of `doctor`."""

    name: str
    ok: bool
    detail: str
    advice: str | None


class DoctorJson(msgspec.Struct, kw_only=True):
    """All checks, and the exit code."""

    exit_code: int
    findings: list[CheckJson]


JSON_OBJECTS: dict[str, type[msgspec.Struct]] = {
    "generate": JobCopy,
    "retry": JobCopy,
    "again": JobCopy,
    "create-character": JobJson,
    "watch": JobEvent,
    "fetch": JobEvent,
    "adopt": JobJson,
    "jobs": ListedJob,
    "show": JobJson,
    "save": JobCopy,
    **dict.fromkeys(("star", "tag", "note", "delete", "undo"), JobJson),
    "stats": Statistics,
    "characters": CharacterJson,
    "doctor": DoctorJson,
}
"""The type of one line of `--json`, by command."""

"""`schema`: the JSON schemas of what commands print, made from types."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.billing.statistics import Statistics
from eternal_tui.jobs.formatting import JobJson


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


class QueueJson(msgspec.Struct, kw_only=True):
    """The queue: `unowned` wait for `queue run`; `cost` is in credits.

    `seconds` is the time until the last one is finished, `pause_seconds` what is left of a pause the API asked for.
    """

    queued: int
    held: bool
    reason: str | None
    unowned: int
    cost: float | None
    seconds: float
    pause_seconds: float
    jobs: list[int]


JSON_OBJECTS: dict[str, type[msgspec.Struct]] = {
    "generate": JobCopy,
    "retry": JobCopy,
    "again": JobCopy,
    "create-character": JobJson,
    "watch": JobEvent,
    "fetch": JobEvent,
    "adopt": JobJson,
    "queue": QueueJson,
    "jobs": ListedJob,
    "show": JobJson,
    "save": JobCopy,
    **dict.fromkeys(("star", "tag", "note", "delete", "undo"), JobJson),
    "stats": Statistics,
    "characters": CharacterJson,
    "doctor": DoctorJson,
}
"""The type of one line of `--json`, by command."""


EPILOG = """\
examples:
  eternal-tui schema                               every command, one schema per line
  eternal-tui schema watch > watch.schema.json

Each schema describes one line of `eternal-tui COMMAND --json`. Keys may be added; none is removed or changed.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("documented", metavar="COMMAND", nargs="?", help="one command (default: all)")


def _run(context: Context) -> int:
    """Print the schemas."""
    wanted = context.arguments.documented
    if wanted is not None and wanted not in JSON_OBJECTS:
        raise UsageError(f"{sanitize(wanted)} has no --json. Commands: {', '.join(JSON_OBJECTS)}.")
    if wanted is not None:
        context.output.print_text(json.dumps(schema_of(wanted), indent=2))
    else:
        for name in JSON_OBJECTS:
            context.output.print_json({"command": name, "schema": schema_of(name)})
    return ExitCode.SUCCESS


def schema_of(command: str) -> dict[str, Any]:
    """Return the JSON schema of one object of `command --json`."""
    (schema,), definitions = msgspec.json.schema_components([JSON_OBJECTS[command]], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"eternal-tui {command} --json",
        **schema,
        "$defs": definitions,
    }


COMMANDS = {"schema": Command(EPILOG, _add_arguments, _run)}

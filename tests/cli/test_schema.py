"""The JSON schemas of `schema`, held against what the commands print."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from eternal_tui.cli.commands.schema import JSON_OBJECTS, schema_of
from tests.cli.program import Program, a_job

GENERATE = ("generate", "--character", "6870", "--prompt", "At {sea|home}", "--tag", "winter", "--yes", "--json")
RUNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "generate": (GENERATE, (*GENERATE, "--wait", "-o", "{n}{ext}")),
    "retry": (("retry", "9", "--yes", "--json"),),
    "again": (("again", "10", "--json"),),
    "create-character": (("create-character", "A keeper", "--yes", "--json"),),
    "watch": (("watch", "1", "9", "10", "--json"), (*GENERATE[:-1],), ("watch", "--json")),
    "fetch": (("fetch", "10", "--json"),),
    "adopt": (("adopt", "abcd-1234", "--json"),),
    "queue": (("queue", "--json"), (*GENERATE, "--queue"), ("queue", "status", "--json")),
    "jobs": (("jobs", "--json"),),
    "show": (("show", "1", "9", "10", "--json"),),
    "save": ((*GENERATE, "--wait"), ("save", "last", "--json")),
    "star": (("star", "9", "10", "--json"),),
    "tag": (("tag", "9", "sea", "--json"), ("tag", "9", "--json")),
    "note": (("note", "9", "x", "--json"),),
    "delete": (("delete", "10", "--json"),),
    "undo": (("delete", "10"), ("undo", "--json")),
    "stats": (("stats", "--json"),),
    "characters": (("characters", "--json", "--search", "a"),),
    "doctor": (("doctor", "--json"),),
}


def assert_strict(schema: dict[str, Any], value: dict[str, Any]) -> None:
    """Hold a value against its schema, and let no key be missing from it."""
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
    (name,) = {schema["$ref"].rsplit("/", 1)[1]}
    assert set(value) == set(schema["$defs"][name]["properties"])


@pytest.mark.parametrize("command", JSON_OBJECTS)
def test_output_fits_its_schema(program: Program, command: str) -> None:
    program.add_fast_jobs()
    program.add_jobs(
        a_job(state="unconfirmed", request_id=None, verdict="can't tell", note="x", starred=True),
        a_job(state="failed", error="no"),
    )
    for arguments in RUNS[command]:
        ran = program.run(*arguments)
        if arguments[0] == command and "--json" in arguments:
            assert ran.json_objects
            for value in ran.json_objects:
                assert_strict(schema_of(command), value)


def test_every_schema_is_printed(program: Program) -> None:
    printed = program.run("schema").json_objects
    assert {each["command"]: each["schema"] for each in printed} == json.loads(
        json.dumps({name: schema_of(name) for name in JSON_OBJECTS})
    )
    assert '"title": "eternal-tui watch --json"' in program.run("schema", "watch").out

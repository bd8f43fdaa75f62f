"""`schema`: the JSON schemas of what commands print."""

from __future__ import annotations

import argparse
import json
from typing import Any

from eternal_tui.cli.context import Context, UsageError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import sanitize

EPILOG = """\
examples:
  eternal-tui schema                               every command, one schema per line
  eternal-tui schema watch > watch.schema.json

Each schema describes one line of `eternal-tui COMMAND --json`. Keys may be added; none is removed or changed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `schema`."""
    parser.add_argument("command", metavar="COMMAND", nargs="?", help="one command (default: all)")


def run(context: Context) -> int:
    """Print the schemas."""
    from eternal_tui.cli.commands.schema import JSON_OBJECTS

    wanted = context.arguments.command
    if wanted is not None and wanted not in JSON_OBJECTS:
        raise UsageError(f"{sanitize(wanted)} has no --json. Commands: {', '.join(JSON_OBJECTS)}.")
    if wanted is not None:
        for line in json.dumps(schema_of(wanted), indent=2).splitlines():
            context.output.print_line(sanitize(line))
    else:
        for name in JSON_OBJECTS:
            context.output.print_json({"command": name, "schema": schema_of(name)})
    return ExitCode.SUCCESS


def schema_of(command: str) -> dict[str, Any]:
    """Return the JSON schema of one object of `command --json`."""
    import msgspec

    from eternal_tui.cli.commands.schema import JSON_OBJECTS

    (schema,), definitions = msgspec.json.schema_components([JSON_OBJECTS[command]], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"eternal-tui {command} --json",
        **schema,
        "$defs": definitions,
    }

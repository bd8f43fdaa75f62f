"""`config`: the settings in force, each explained."""

from __future__ import annotations

import argparse

from eternal_tui.cli.exits import Exit
from eternal_tui.cli.invocation import Invocation
from eternal_tui.untrusted import shown

EPILOG = """\
examples:
  eternal-tui config > ~/.config/eternal-tui/config.toml
  eternal-tui config --path
  eternal-tui config --schema
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `config`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--schema", action="store_true", help="print the JSON schema of the file, for editors")
    what.add_argument("--path", action="store_true", help="print where the file is looked for")


def run(invocation: Invocation) -> int:
    """Print what was asked for."""
    import json

    from eternal_tui.settings import config_schema, render_config

    streams = invocation.streams
    if invocation.arguments.schema:
        text = json.dumps(config_schema(), indent=2)
    elif invocation.arguments.path:
        text = str(invocation.settings.config_path)
    else:
        text = render_config(invocation.settings)
    for line in text.splitlines():
        # Each line passes the gate: a setting may have come from a hostile file or variable.
        streams.line(shown(line, limit=100_000))
    return Exit.DONE

"""The app, which runs without a command, and `sandbox`: the local sandbox of the API, on its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import is_terminal

if TYPE_CHECKING:
    import argparse


def run(context: Context) -> int:
    """Open the app and return its exit code; CommandError where there is no terminal that could show it."""
    streams = context.output
    if not (is_terminal(streams.stdin) and is_terminal(streams.stdout)):
        raise UsageError("Not a terminal. Use a command instead, see eternal-tui --help.")
    if context.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("TERM=dumb cannot show the app. Set TERM, or use a command: eternal-tui --help.")
    settings = context.settings
    if context.arguments.color == "never":
        # Textual reads it when it is imported.
        os.environ["NO_COLOR"] = "1"
    from eternal_tui.tui.run import run as run_app

    return run_app(
        settings,
        context.environ,
        demo=context.arguments.demo,
        ephemeral=context.is_ephemeral,
        has_samples=context.arguments.demo and not context.arguments.empty,
    )


SANDBOX_EPILOG = """\
examples:
  eternal-tui sandbox --port 8765 --speed 5
  ETERNALAI_API_KEY=sandbox-demo-key eternal-tui --base-url http://127.0.0.1:8765
  eternal-tui sandbox --fault lost-answer:1        --fault list shows all faults

The first line of output is a JSON object with api_url, cdn_url and key. ctrl+c stops it.
"""


def _add_sandbox_arguments(parser: argparse.ArgumentParser) -> None:
    from eternal_tui.sandbox.command import add_arguments

    add_arguments(parser)


def _serve(context: Context) -> int:
    from eternal_tui.sandbox.command import run as serve

    return serve(context.arguments)


COMMANDS = {"sandbox": Command(SANDBOX_EPILOG, _add_sandbox_arguments, _serve)}

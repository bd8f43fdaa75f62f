"""`logout`: forget the key that `login` kept."""

from __future__ import annotations

import argparse

from eternal_tui.cli.context import Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import format_safe, sanitize

EPILOG = """\
A key in the environment or behind api_key_command is not ours to remove. The history stays.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options: there are none."""


def run(context: Context) -> int:
    """Forget the key and say where it was."""
    from eternal_tui.config.credentials import KEY_ENV_VARS, delete_key

    forgotten = delete_key(context.settings)
    if forgotten:
        context.output.print_line(format_safe("The key was removed from {places}.", places=" and ".join(forgotten)))
    else:
        context.output.print_line(sanitize("No key was kept here."))
    left = [name for name in KEY_ENV_VARS if context.environ.get(name, "").strip()]
    if context.settings.api_key_command:
        left.append("api_key_command")
    if left:
        context.output.info(format_safe("{names} still gives a key.", names=" and ".join(left)))
    return ExitCode.SUCCESS

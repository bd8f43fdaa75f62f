"""`logout`: forget the key that `login` kept."""

from __future__ import annotations

import argparse

from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import say, shown

EPILOG = """\
A key in the environment or behind api_key_command is not ours to remove. The history stays.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options: there are none."""


def run(invocation: Invocation) -> int:
    """Forget the key and say where it was."""
    from eternal_tui.config.credentials import KEY_VARIABLES, forget_key

    forgotten = forget_key(invocation.settings)
    if forgotten:
        invocation.streams.line(say("The key was removed from {places}.", places=" and ".join(forgotten)))
    else:
        invocation.streams.line(shown("No key was kept here."))
    left = [name for name in KEY_VARIABLES if invocation.environ.get(name, "").strip()]
    if invocation.settings.api_key_command:
        left.append("api_key_command")
    if left:
        invocation.streams.note(say("{names} still gives a key.", names=" and ".join(left)))
    return Exit.DONE

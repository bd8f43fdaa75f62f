"""The app: what runs without a command."""

from __future__ import annotations

import os

from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import is_terminal


def run(context: Context) -> int:
    """Open the app and return its exit code; CommandError where there is no terminal that could show it."""
    streams = context.output
    if not (is_terminal(streams.stdin) and is_terminal(streams.stdout)):
        raise UsageError("Not a terminal. Use a command instead, see eternal-tui --help.")
    if context.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("TERM=dumb cannot show the app. Set TERM, or use a command: eternal-tui --help.")
    settings = context.settings
    if getattr(context.arguments, "color", "") == "never":
        # Textual reads it when it is imported.
        os.environ["NO_COLOR"] = "1"
    from eternal_tui.tui.run import run as run_app

    return run_app(
        settings,
        context.environ,
        demo=context.is_demo,
        ephemeral=context.is_ephemeral,
        has_samples=context.is_demo and not getattr(context.arguments, "empty", False),
    )

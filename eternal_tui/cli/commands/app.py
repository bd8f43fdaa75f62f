"""The app itself: the verb that is no verb."""

from __future__ import annotations

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import is_terminal


def run(context: Context) -> int:
    """Open the app and return its exit code; CommandError where there is no terminal that could show it."""
    streams = context.output
    if not (is_terminal(streams.stdin) and is_terminal(streams.stdout)):
        raise CommandError(
            ExitCode.USAGE,
            "The app needs a terminal for input and output. For scripts there are verbs: eternal-tui --help",
        )
    if context.environ.get("TERM", "dumb") == "dumb":
        raise CommandError(
            ExitCode.USAGE,
            "TERM says that this terminal cannot show the app. The verbs work here: eternal-tui --help; or set TERM.",
        )
    settings = context.settings
    from eternal_tui.tui.run import run as run_app

    return run_app(settings, context.environ, demo=context.is_demo, ephemeral=context.is_ephemeral)

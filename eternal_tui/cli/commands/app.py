"""The app itself: the verb that is no verb."""

from __future__ import annotations

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import is_terminal


def run(invocation: Invocation) -> int:
    """Open the app and return its exit code; Refused where there is no terminal that could show it."""
    streams = invocation.streams
    if not (is_terminal(streams.stdin) and is_terminal(streams.stdout)):
        raise Refused(
            Exit.USAGE, "The app needs a terminal for input and output. For scripts there are verbs: eternal-tui --help"
        )
    if invocation.environ.get("TERM", "dumb") == "dumb":
        raise Refused(
            Exit.USAGE,
            "TERM says that this terminal cannot show the app. The verbs work here: eternal-tui --help; or set TERM.",
        )
    settings = invocation.settings
    from eternal_tui.tui.run import run as run_app

    return run_app(settings, invocation.environ, demo=invocation.demo, throw_away=invocation.throw_away)

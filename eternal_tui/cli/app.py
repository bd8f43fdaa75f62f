"""The app itself: the verb that is no verb."""

from __future__ import annotations

from eternal_tui.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    """Open the app and return its exit code."""
    from eternal_tui.tui.run import run as run_app

    return run_app(invocation.settings, invocation.environ, demo=invocation.demo, throw_away=invocation.throw_away)

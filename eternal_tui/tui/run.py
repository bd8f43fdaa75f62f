"""Starts the app on this terminal, and says in a sentence why where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.settings import Settings

if TYPE_CHECKING:
    from eternal_tui.tui.graphics.choose import Choice

UNUSABLE = (
    "eternal-tui draws on a terminal, and {why}. The command line does the same work without one: "
    "try `eternal-tui generate --help` and `eternal-tui jobs`.\n"
)

USAGE = 2


def why_unusable(environ: Mapping[str, str]) -> str:
    """Return why no screen can be drawn here, empty when one can."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        return "standard input or output is none"
    if environ.get("TERM", "") in ("", "dumb"):
        return f"this one cannot move its cursor (TERM={environ.get('TERM', '')})"
    return ""


def run(settings: Settings, environ: Mapping[str, str], *, demo: bool, throw_away: bool) -> int:
    """Run the app until it is left and return the exit code; raises HistoryError where the data folder is unusable."""
    if why := why_unusable(environ):
        sys.stderr.write(UNUSABLE.format(why=why))
        return USAGE
    from eternal_tui.sandbox.launch import launch_demo
    from eternal_tui.workbench import DEMO_SPEED, Workbench

    service = launch_demo(environ=environ, speed=DEMO_SPEED) if demo else None
    try:
        bench = Workbench(settings, environ, demo=service, throw_away=throw_away)
    except BaseException:
        if service is not None:
            service.close()
        raise
    from eternal_tui.tui.app import EternalApp

    choice = _graphics(settings, environ)
    app = EternalApp(bench, choice.graphics, choice.why, environ)
    app.run()
    if app.departure.signal is not None:
        return 128 + app.departure.signal
    return app.return_code or 0


def _graphics(settings: Settings, environ: Mapping[str, str]) -> Choice:
    from eternal_tui.tui.graphics.choose import choose
    from eternal_tui.tui.graphics.probe import TerminalFacts, probe

    if settings.images != "auto":
        return choose(settings.images, TerminalFacts(), environ)
    return choose("auto", probe(environ=environ, cache=_probe_cache(environ)), environ)


def _probe_cache(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    return Path(base) / "eternal-tui" / "terminals.json"

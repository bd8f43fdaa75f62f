"""Starts the app on this terminal, and says in a sentence why where it cannot."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.config import Settings, home_folder

if TYPE_CHECKING:
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.tui.app import EternalApp

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
    """Run the app until it is left and return the exit code.

    Raises HistoryError where the data folder is unusable, and the defect, whatever it was, that ended the app.
    """
    if why := why_unusable(environ):
        sys.stderr.write(UNUSABLE.format(why=why))
        return USAGE
    # Until the first frame stands, everything that is made is kept: looking for garbage finds none.
    gc.disable()
    app = _assemble(settings, environ, demo=demo, throw_away=throw_away)
    from eternal_tui.tui import config_watch

    for sentence in config_watch.problems(settings):
        sys.stderr.write(f"eternal-tui: {sentence}\n")
    app.run()
    if app.farewell:
        # The terminal may be what ended the app.
        with suppress(OSError):
            sys.stderr.write(f"{app.farewell}\n")
            sys.stderr.flush()
    if app.departure.signal is not None:
        return 128 + app.departure.signal
    if app.defect is not None:
        raise app.defect
    return app.return_code or 0


def _assemble(settings: Settings, environ: Mapping[str, str], *, demo: bool, throw_away: bool) -> EternalApp:
    from eternal_tui.tui.graphics.probe import TerminalFacts, asking
    from eternal_tui.tui.terminal.later import put_off

    put_off()
    service = _launch(environ, None if throw_away else settings.data_dir) if demo else None
    try:
        # The terminal is asked first: it answers while the rest is imported.
        with (
            asking(environ=environ, cache=_probe_cache(environ))
            if settings.images in ("auto", "sixel")
            else nullcontext(TerminalFacts) as facts
        ):
            from eternal_tui.services import Workbench
            from eternal_tui.tui.app import EternalApp
            from eternal_tui.tui.graphics.select import choose

            bench = Workbench(settings, environ, demo=service, throw_away=throw_away)
            bench.desk.read_newest()
            choice = choose(settings.images, facts(), environ)
    except BaseException:
        if service is not None:
            service.close()
        raise
    return EternalApp(bench, choice.graphics, choice.why, environ)


def _launch(environ: Mapping[str, str], folder: Path | None) -> DemoService:
    from eternal_tui.sandbox.launch import STATE_NAME, launch_demo
    from eternal_tui.services import DEMO_SPEED

    return launch_demo(environ=environ, speed=DEMO_SPEED, state=None if folder is None else folder / STATE_NAME)


def _probe_cache(environ: Mapping[str, str]) -> Path:
    told = environ.get("XDG_CACHE_HOME", "").strip()
    # One that is relative means nothing: it would be another folder in each where the app is started.
    base = Path(told) if told.startswith("/") else home_folder(environ) / ".cache"
    return base / "eternal-tui" / "terminals.json"

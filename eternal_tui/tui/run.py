"""Builds and runs the app on this terminal."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.config.loader import home_dir
from eternal_tui.config.settings import Settings, SettingsError

if TYPE_CHECKING:
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.tui.app import EternalApp


def run(
    settings: Settings, environ: Mapping[str, str], *, demo: bool, ephemeral: bool, has_samples: bool = False
) -> int:
    """Run the app and return the exit code. With `has_samples` a demo starts with sample jobs.

    Raises HistoryError where the data folder is unusable, and the exception that ended the app.
    """
    # There is no garbage before the first frame.
    gc.disable()
    app = _build_app(settings, environ, demo=demo, ephemeral=ephemeral, has_samples=has_samples)
    from eternal_tui.tui import config_watch

    for sentence in config_watch.preference_errors(settings):
        sys.stderr.write(f"eternal-tui: {sentence}\n")
    app.run()
    if app.exit_message:
        # The terminal may have hung up.
        with suppress(OSError):
            sys.stderr.write(f"{app.exit_message}\n")
            sys.stderr.flush()
    if app.graceful_shutdown.signal_number is not None:
        return 128 + app.graceful_shutdown.signal_number
    if app.internal_error is not None:
        raise app.internal_error
    return app.return_code or 0


def _build_app(
    settings: Settings, environ: Mapping[str, str], *, demo: bool, ephemeral: bool, has_samples: bool
) -> EternalApp:
    from eternal_tui.tui.graphics.probe import TerminalInfo, probing
    from eternal_tui.tui.terminal.guard import TerminalGuard

    guard = TerminalGuard(sys.stdout.fileno())
    guard.note("modes")
    sandbox = _launch_demo(environ, None if ephemeral else settings.data_dir, has_samples=has_samples) if demo else None
    try:
        # The terminal replies while the rest is imported.
        with (
            probing(environ=environ, cache=probe_cache_path(environ))
            if settings.images in ("auto", "sixel", "iterm2", "symbols")
            else nullcontext(TerminalInfo) as read_info
        ):
            from eternal_tui.services import Services
            from eternal_tui.tui.app import EternalApp
            from eternal_tui.tui.graphics.select import select_backend

            services = Services(settings, environ, demo=sandbox, ephemeral=ephemeral)
            has_tour = False
            if has_samples and demo:
                from eternal_tui.tui.demo import seed_demo

                has_tour = seed_demo(services)
            services.jobs.sync.load_newest()
            terminal = read_info()
            choice = select_backend(settings.images, terminal, environ)
    except BaseException:
        if sandbox is not None:
            sandbox.close()
        raise
    return EternalApp(services, choice.graphics, environ, unread_input=terminal.unread, guard=guard, has_tour=has_tour)


def _launch_demo(environ: Mapping[str, str], state_dir: Path | None, *, has_samples: bool) -> DemoService:
    from eternal_tui.sandbox.launch import STATE_FILE_NAME, launch_demo
    from eternal_tui.services import DEMO_SPEED

    return launch_demo(
        environ=environ,
        speed=DEMO_SPEED,
        state_file=None if state_dir is None else state_dir / STATE_FILE_NAME,
        options=["--sample-jobs"] if has_samples else [],
    )


def probe_cache_path(environ: Mapping[str, str]) -> Path | None:
    configured = environ.get("XDG_CACHE_HOME", "").strip()
    # The XDG specification ignores relative paths.
    with suppress(SettingsError):
        base = Path(configured) if configured.startswith("/") else home_dir(environ) / ".cache"
        return base / "eternal-tui" / "terminals.json"
    return None

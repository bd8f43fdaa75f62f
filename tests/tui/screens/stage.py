"""A stage for the small screens: a data folder of their own, and a service that is not there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import SafeText
from eternal_tui.services import Services
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.graphics.base import NullGraphics
from eternal_tui.tui.screens.job_commands import JobCommands
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.themes import register_themes
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests import drawn as drawing
from tests.drawn import screen_strips

ENVIRON = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "PATH": ""}
ENVIRON_WITH_KEY = {**ENVIRON, "ETERNALAI_API_KEY": "no-real-key-of-anybody"}
UNREACHABLE_URL = "http://127.0.0.1:9"
"""The discard port: nothing answers there."""


def make_settings(base_dir: Path, **fields: Any) -> Settings:
    given = {
        "base_url": UNREACHABLE_URL,
        "data_dir": base_dir / "data",
        "config_path": base_dir / "config" / "config.toml",
    }
    return Settings(**{**given, **fields})


def make_services(base_dir: Path, environ: Mapping[str, str] = ENVIRON_WITH_KEY, **fields: Any) -> Services:
    return Services(make_settings(base_dir, **fields), environ)


def terminal_context(
    written: list[str] | None = None, environ: Mapping[str, str] = ENVIRON, *, is_remote: bool = False
) -> TerminalContext:
    """Return a terminal without pictures, whose escape sequences are appended to `written`."""
    write = (lambda _: None) if written is None else written.append
    return TerminalContext(environ=environ, graphics=NullGraphics(), is_remote=is_remote, write_sequence=write)


class ScreenApp(App[None]):
    """Shows one screen and writes down what it leaves with."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        register_themes(self)
        self.theme = "eternal-dark"
        self.shown_screen = screen
        self.results: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self.shown_screen, self.results.append)
        self.call_after_refresh(self._stop_cursor_blink)

    def _stop_cursor_blink(self) -> None:
        for line in self.screen.query(Input):
            line.cursor_blink = False


class SnapCompare(Protocol):
    """The fixture `snap_compare`."""

    def __call__(self, app: App[None], *, terminal_size: tuple[int, int], run_before: object = None) -> bool: ...


class FakeScreen:
    """Records notifications and questions; answers `answer`."""

    def __init__(self, answer: bool = False) -> None:
        self.answer = answer
        self.notifications: list[str] = []
        self.dialogs: list[ConfirmDialog] = []

    def notify_user(self, text: SafeText, severity: str = "information") -> None:
        self.notifications.append(text if severity == "information" else f"{severity}: {text}")

    async def ask_confirmation(self, question: ConfirmDialog) -> bool:
        self.dialogs.append(question)
        return self.answer

    @property
    def questions(self) -> list[str]:
        return [dialog.question for dialog in self.dialogs]

    async def check_characters(self, requests: object) -> bool:  # noqa: ARG002
        return True


@asynccontextmanager
async def open_services(
    base_dir: Path, environ: Mapping[str, str] = ENVIRON_WITH_KEY, **fields: Any
) -> AsyncIterator[Services]:
    bench = make_services(base_dir, environ, **fields)
    try:
        yield bench
    finally:
        await bench.close()


def job_commands(services: Services) -> JobCommands:
    return JobCommands(services.jobs, FakeScreen(), ENVIRON)


def make_app(services: Services, environ: Mapping[str, str] = ENVIRON) -> EternalApp:
    return EternalApp(services, NullGraphics(), environ)


@asynccontextmanager
async def open_app(
    services: Services,
    environ: Mapping[str, str] = ENVIRON,
    *,
    size: tuple[int, int] = (100, 30),
    notifications: bool = False,
) -> AsyncIterator[tuple[MainScreen, Pilot[None]]]:
    """Run the app; yield its main screen when everything is drawn."""
    app = make_app(services, environ)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await wait_idle(pilot)
        main = app.screen_stack[0]
        assert isinstance(main, MainScreen)
        yield main, pilot


@asynccontextmanager
async def open_screen(
    screen: Screen[Any], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[ScreenApp, Pilot[None]]]:
    """Run an app that shows one screen; yield it when everything is drawn."""
    app = ScreenApp(screen)
    async with app.run_test(size=size) as pilot:
        await wait_idle(pilot)
        yield app, pilot


def screen_text(app: App[Any]) -> str:
    return "\n".join(strip.text.rstrip() for strip in screen_strips(app.screen))


def flat_screen_text(app: App[Any]) -> str:
    """Return the words on the screen without borders and line breaks."""
    return re.sub(r"[\s│]+", " ", screen_text(app))


async def wait_idle(pilot: Pilot[Any]) -> None:
    """Let workers end and everything be drawn."""
    await drawing.drawn(pilot.app, awaited=lambda _: True)


async def wait_until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Wait until this holds; what never comes ends it."""
    await drawing.until(pilot, condition)

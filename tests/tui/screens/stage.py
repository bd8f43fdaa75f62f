"""A stage for the small screens: a data folder of their own, and a service that is not there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from eternal_tui.config import Settings
from eternal_tui.services import Workbench
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.graphics.base import NoGraphics
from eternal_tui.tui.screens.job_commands import JobActions
from eternal_tui.tui.terminal.glyphs import UNICODE
from eternal_tui.tui.terminal.style_pairs import keep_pairs_without_widgets
from eternal_tui.tui.themes import register
from tests import drawn as drawing

ENVIRON = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "PATH": ""}
KEYED = {**ENVIRON, "ETERNALAI_API_KEY": "no-real-key-of-anybody"}
NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing answers there."""


def settings_in(folder: Path, **fields: Any) -> Settings:
    given = {"base_url": NOWHERE, "data_dir": folder / "data", "config_path": folder / "config" / "config.toml"}
    return Settings(**{**given, **fields})


def bench_in(folder: Path, environ: Mapping[str, str] = KEYED, **fields: Any) -> Workbench:
    return Workbench(settings_in(folder, **fields), environ)


def around(written: list[str], environ: Mapping[str, str] = ENVIRON, *, remote: bool = False) -> Surroundings:
    """Return surroundings without pictures whose control sequences are written down."""
    return Surroundings(
        environ=environ,
        glyphs=UNICODE,
        graphics=NoGraphics(),
        graphics_why="",
        remote=remote,
        interval=0.25,
        clock_step=1.0,
        write=written.append,
    )


class Stage(App[None]):
    """Shows one screen and writes down what it leaves with."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        register(self)
        self.theme = "eternal-dark"
        self.shown_screen = screen
        self.left_with: list[Any] = []

    def on_mount(self) -> None:
        # As the workbench does behind its first frame.
        keep_pairs_without_widgets()
        self.push_screen(self.shown_screen, self.left_with.append)
        self.call_after_refresh(self._still)

    def _still(self) -> None:
        for line in self.screen.query(Input):
            line.cursor_blink = False


class Silent:
    """A face for actions that no test expects to speak."""

    def tell(self, text: str, severity: str = "information") -> None:
        raise AssertionError(severity, text)

    async def ask(self, question: object) -> bool:
        raise AssertionError(question)

    async def looked_up(self, requests: object) -> bool:
        raise AssertionError(requests)


@asynccontextmanager
async def bench_of(folder: Path, environ: Mapping[str, str] = KEYED, **fields: Any) -> AsyncIterator[Workbench]:
    bench = bench_in(folder, environ, **fields)
    try:
        yield bench
    finally:
        await bench.close()


def actions_of(bench: Workbench) -> JobActions:
    return JobActions(bench.desk, Silent(), ENVIRON)


def the_app(bench: Workbench, environ: Mapping[str, str] = ENVIRON) -> EternalApp:
    return EternalApp(bench, NoGraphics(), "", environ)


def text_of(app: App[Any]) -> str:
    """Return what stands on the screen, row by row."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def said_on(app: App[Any]) -> str:
    """Return the words on the screen without borders and line breaks."""
    return re.sub(r"[\s│]+", " ", text_of(app))


async def settle(pilot: Pilot[Any]) -> None:
    """Let workers end and everything be drawn."""
    await drawing.drawn(pilot.app, awaited=lambda _: True)


async def until(pilot: Pilot[Any], true: Callable[[], bool]) -> None:
    """Wait until this holds; what never comes ends it."""
    await drawing.until(pilot, true)

"""What a terminal is given, kept byte by byte, and when a screen stands still."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.app import App
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import DescendantFocus
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

import eternal_tui.tui.app
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.theme import register
from tests.security.hostile import unsafe

# What Textual's driver and our own announcer write: colours, cursor, cell erasure, synchronised output, title.
_OURS = re.compile(
    r"\x1b\[[0-9;:]*m|\x1b\[[0-9;]*[Hfd]|\x1b\[\?2026[hl$]p?|\x1b\[\?25[hl]|\x1b\[22;2t|\x1b\[23;2t|\x1b\]2;[^\x1b\x07]*\x07|\x1b\]22;[a-z-]*\x07"
)


class Recorder(HeadlessDriver):
    """A terminal that keeps every byte it is given."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.written: list[str] = []

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written.append(data)


class _Recorded(App[None]):
    recorder: Recorder

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> Recorder:  # noqa: ARG002
        self._driver = self.recorder = Recorder(self, debug=False, mouse=mouse, size=size)
        return self.recorder


class RecordedApp(_Recorded, EternalApp):
    """The app on such a terminal."""

    CSS_PATH = Path(eternal_tui.tui.app.__file__).with_name("workbench.tcss").as_posix()


class WideStage(_Recorded):
    """Shows one small screen after another, its box as wide as the terminal."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Dialog > #dialog, Confirm > Vertical, SearchScreen > #search-box {
        width: 100% !important; max-width: 100% !important; height: 100% !important;
    }
    Panel > Static { max-height: 100 !important; }
    Toast { width: 100%; max-width: 100%; }
    """

    def on_mount(self) -> None:
        register(self)
        self.theme = "eternal-dark"

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        # As the app does: with a cursor that blinks, rows and their twin's would differ where half a second passed.
        if isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False


def unsafe_bytes(app: _Recorded) -> list[str]:
    """Return what was written that a terminal must not be given, beside the sequences that draw."""
    return unsafe(_OURS.sub("", "".join(app.recorder.written)).replace("\a", ""))


def rows(app: App[Any]) -> list[str]:
    """Return each row of the screen as the driver would be given it."""
    return [strip.render(app.console) for strip in app.screen._compositor.render_strips()]


async def still(pilot: Pilot[Any]) -> list[str]:
    """Let everything that was set going be drawn, and return the rows.

    Nothing is waited for by the clock, as Pilot.pause does: twenty milliseconds at least, each time.
    """
    app, before = pilot.app, [""]
    await pilot._wait_for_screen()
    app.screen._on_timer_update()
    while True:
        await pilot._wait_for_screen()
        app.screen._on_timer_update()
        now = rows(app)
        # The answers of a job are read from the disk, behind its facts.
        if now == before and all(worker.is_finished for worker in app.workers if worker.group == "answers"):
            return now
        before = now

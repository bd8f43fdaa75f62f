"""What a terminal is given, kept byte by byte, and when a screen stands still."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.drivers.headless_driver import HeadlessDriver
from textual.events import DescendantFocus
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

import eternal_tui.tui.app
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.compositor import draw_anew
from eternal_tui.tui.link import LinkApp
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


class _Recorded(LinkApp):
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
    """Return what was written that a terminal must not be given, beside the sequences that draw.

    Asked of the gate, and of the bytes themselves by rules that know nothing of it.
    """
    words = _OURS.sub("", "".join(app.recorder.written)).replace("\a", "")
    return [*unsafe(words), *map(repr, NEVER.findall(words.encode("utf-8", "surrogatepass")))]


# In UTF-8: C0 but the line end, DEL, C1; zero-width and direction signs, joiners, isolates, invisible operators,
# separators of lines and paragraphs; soft hyphen, Arabic letter mark, byte order mark; halves of pairs; private use;
# tags and the variation selectors beside them.
NEVER = re.compile(
    rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf|\xed[\xa0-\xbf].|\xee..|\xef[\x80-\xa3].|\xf3[\xa0-\xbf]..|\xf4...",
    re.DOTALL,
)

_MOVED = re.compile(r"(?=\x1b\[(\d+);\d+H)")


def rows_of(written: str) -> list[str]:
    """Return what was written as one text a line of the screen, in the order of the lines, nothing taken away."""
    found: dict[int, str] = {}
    _, *parts = _MOVED.split(written)
    for line, sequence in zip(parts[::2], parts[1::2], strict=True):
        found[int(line)] = found.get(int(line), "") + sequence
    return [found[line] for line in sorted(found)]


async def still(pilot: Pilot[Any]) -> list[str]:
    """Let everything that was set going be drawn, then have all of it drawn anew; return the bytes of each line.

    Nothing is waited for by the clock, as Pilot.pause does: twenty milliseconds at least, each time.
    """
    await _settled(pilot)
    app: Any = pilot.app
    before = len(app.recorder.written)
    draw_anew(app.screen)
    app.screen._on_timer_update()
    return rows_of("".join(app.recorder.written[before:]))


async def _settled(pilot: Pilot[Any]) -> None:
    app: Any = pilot.app
    rounds, before = 0, -1
    while True:
        await pilot._wait_for_screen()
        app.screen._on_timer_update()
        rounds, written = rounds + 1, len(app.recorder.written)
        # The answers of a job are read from the disk, behind its facts; the keyring is looked for behind its screen.
        reading = any(not worker.is_finished for worker in app.workers if worker.group in ("answers", "keyring"))
        if rounds > 1 and written == before and not reading:
            return
        before = written

"""The bytes that a terminal is given, once a screen is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.drivers.headless_driver import HeadlessDriver
from textual.events import DescendantFocus
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea
from textual.worker import Worker

import eternal_tui.tui.app
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.terminal.base_app import TerminalApp
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.themes import register_themes
from tests.drawn import drawn, screen_strips
from tests.security.hostile import find_unsafe_lines

# What Textual's driver and our own announcer write: colours, cursor, cell erasure, synchronised output, title.
_OWN_SEQUENCES_PATTERN = re.compile(
    r"\x1b\[[0-9;:]*m|\x1b\[[0-9;]*[GHfd]|\x1b\[\?2026[hl$]p?|\x1b\[\?25[hl]|\x1b\[22;2t|\x1b\[23;2t|\x1b\]2;[^\x1b\x07]*\x07|\x1b\]22;[a-z-]*\x07"
)


class RecordingDriver(HeadlessDriver):
    """A terminal that keeps every byte it is given."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.written: list[str] = []

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written.append(data)


class _RecordingApp(TerminalApp):
    """Draws when it is looked at, as a slow terminal does."""

    recorder: RecordingDriver

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> RecordingDriver:  # noqa: ARG002
        self._driver = self.recorder = RecordingDriver(self, debug=False, mouse=mouse, size=size)
        return self.recorder


class RecordingEternalApp(_RecordingApp, EternalApp):
    """The app on such a terminal."""

    CSS_PATH = Path(eternal_tui.tui.app.__file__).with_name("workbench.tcss").as_posix()


class WideScreenApp(_RecordingApp):
    """Shows one small screen after another, its box as wide as the terminal."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Dialog > #dialog, ConfirmDialog > Vertical, SearchDialog > #search-box {
        width: 100% !important; max-width: 100% !important; height: 100% !important;
    }
    ViewerPanel > Static { max-height: 100 !important; }
    Toast { width: 100%; max-width: 100%; }
    """

    def on_mount(self) -> None:
        register_themes(self)
        self.theme = "eternal-dark"

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        # As the app does: with a cursor that blinks, rows and their twin's would differ where half a second passed.
        if isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False


def unsafe_bytes(app: _RecordingApp) -> list[str]:
    """Return what was written that a terminal must not get, except the sequences that draw.

    Asked of the gate, and of the bytes themselves by rules that know nothing of it.
    """
    rows = {
        _OWN_SEQUENCES_PATTERN.sub("", row).replace("\a", "")
        for row in _CURSOR_MOVE_PATTERN.split("".join(app.recorder.written))
    }
    found = [each for row in rows for each in find_unsafe_lines(row)]
    return [*found, *map(repr, FORBIDDEN_BYTES_PATTERN.findall("".join(rows).encode("utf-8", "surrogatepass")))]


# In UTF-8: C0 but the line end, DEL, C1; zero-width and direction signs, joiners, isolates, invisible operators,
# separators of lines and paragraphs; soft hyphen, Arabic letter mark, byte order mark; halves of pairs; private use;
# tags and the variation selectors beside them.
FORBIDDEN_BYTES_PATTERN = re.compile(
    rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf|\xed[\xa0-\xbf].|\xee..|\xef[\x80-\xa3].|\xf3[\xa0-\xbf]..|\xf4...",
    re.DOTALL,
)

_CURSOR_MOVE_PATTERN = re.compile(r"(?=\x1b\[\d+;\d+H)")


def split_rows(written: str) -> list[str]:
    """Return what was written as one text a line of the screen, in the order of the lines.

    Nothing is taken away but where the cursor is put at the end.
    """
    found: dict[int, str] = {}
    _, *parts = _CURSOR_MOVE_PATTERN.split(written)
    for sequence in parts:
        line = int(sequence[2 : sequence.index(";")])
        if sequence.endswith("H"):
            continue
        found[line] = found.get(line, "") + sequence
    return [found[line] for line in sorted(found)]


_original_refresh = Screen._compositor_refresh


def _refresh_or_skip(screen: Screen[Any]) -> None:
    app: Any = screen.app
    if not isinstance(app, _RecordingApp):
        _original_refresh(screen)
        return
    screen._dirty_widgets.clear()


Screen._compositor_refresh = _refresh_or_skip  # type: ignore[method-assign, assignment]


async def press_keys(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after another, each when what the one before did has taken effect."""
    for key in keys:
        await pilot.press(key)


async def capture_rows(pilot: Pilot[Any]) -> list[str]:
    """Wait until everything is drawn, repaint all of it, and return the bytes of each line."""
    app: Any = pilot.app
    await drawn(app, awaited=_ends_by_itself)
    screen, before = app.screen, len(app.recorder.written)
    if isinstance(screen, DiffScreen):
        screen.invalidate_buffer()
    app._display(screen, screen._compositor.render_update(full=True, screen_stack=app._background_screens))
    return split_rows("".join(app.recorder.written[before:]))


def _ends_by_itself(worker: Worker[Any]) -> bool:
    # The answers of a job are read from the disk, behind its facts; the keyring is looked for behind its screen; the
    # palette searches.
    return worker.group in ("answers", "keyring") or worker.node is worker.node.app.screen


def find_click_targets(pilot: Pilot[Any]) -> list[object]:
    """Return the actions and links behind the cells of the screen, except those of scrollbars."""
    parts = [part for strip in screen_strips(pilot.app.screen) for part in strip if part.style]
    return [
        *(part.style.meta for part in parts if part.style and "@click" in str(part.style.meta)),
        *(part.style.link for part in parts if part.style and part.style.link),
    ]

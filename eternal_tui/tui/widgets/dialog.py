"""Dialogs: a box over the dimmed screen with a title, a body and a line of keys."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import ClassVar, Generic, TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.graphics.base import PLACEHOLDER
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.terminal.textual_internals import watch_toast_height

Result = TypeVar("Result")

FOOTER_ROWS = 1
"""Rows of the footer of the screen below, which stay in sight."""


class ResultScreen(Screen[Result]):
    """A screen whose `dismiss` closes this screen and no other.

    Textual's pops the topmost screen. Here a second call does nothing, and a call while another screen covers
    this one takes effect when that one is closed.
    """

    _pending_result: tuple[Result | None] | None = None

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close this screen with the result, now or once nothing covers it."""
        if self.is_active:
            return super().dismiss(result)
        if self in self.app.screen_stack and self._pending_result is None:
            self._pending_result = (result,)
        return AwaitComplete()

    @on(events.ScreenResume)
    def _dismiss_when_uncovered(self) -> None:
        if self._pending_result is not None:
            self.dismiss(*self._pending_result)


class Overlay(ResultScreen[Result], ModalScreen[Result]):
    """A modal screen over a dimmed one."""

    def on_mount(self) -> None:
        watch_toast_height(self, self.reserve_toast_rows)

    def reserve_toast_rows(self, rows: int) -> None:
        """Move boxes up out of the rows that toasts cover above the footer."""
        rows += FOOTER_ROWS if rows else 0
        boxes = [each for each in self.children if each.display and not each.has_class("-textual-system")]
        height = self.outer_size.height
        if rows and max((box.region.bottom for box in boxes), default=0) <= height - rows:
            return
        for box in boxes:
            box.styles.margin = (0, 0, rows, 0)
            box.styles.max_height = height - rows

    def render(self) -> RenderableType:
        found = super().render()
        return DimmedBackground(found.screen, found.color) if isinstance(found, BackgroundScreen) else found


class DimmedBackground(BackgroundScreen):
    """Textual's dimming, except of kitty placeholder cells: their colour is the image's ID.

    Colours of the terminal cannot be mixed: under a transparent screen they get the attribute "dim".
    """

    @classmethod
    def process_segments(cls, segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
        """Yield the segments in darker colours."""
        dim = Style(dim=color.a == 0)
        for is_picture, run in groupby(segments, lambda segment: segment.text.startswith(PLACEHOLDER)):
            same = list(run)
            darker = super().process_segments(same, color)
            yield from same if is_picture else Segment.apply_style(darker, post_style=dim) if color.a == 0 else darker


class Dialog(Overlay[Result | None], Generic[Result]):
    """Base of the small screens. The line under the body shows the keys or an error."""

    KEYS_HINT: ClassVar[SafeText] = SafeText("esc back")

    DEFAULT_CSS = """
    Dialog {
        align: center middle; background: $background 60%;
        & > #dialog {
            width: 72; max-width: 94%; height: auto; max-height: 100%; border: round $border; padding: 1 2;
            border-title-color: $foreground; background: $background;
            overflow-y: auto; scrollbar-size-vertical: 1;
        }
        & Static { height: auto; width: 1fr; }
        & .label { color: $text-muted; }
        & Input, & Input:focus {
            border: none; height: 1; padding: 0 1 !important; background: $panel; margin: 0 0 1 0;
        }
        & #dialog-foot { color: $text-muted; }
        & #dialog-foot.-problem { color: $text-error; }
    }
    """

    def __init__(self, title: SafeText) -> None:
        super().__init__()
        self._title = title
        self.footer = Static(Content(self.KEYS_HINT), id="dialog-foot", markup=False)

    def body(self) -> Iterable[Widget]:
        return ()

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            box.border_title = Content(self._title)
            yield from self.body()
            yield self.footer

    def set_footer_text(self, text: SafeText | None = None, *, is_error: bool = False) -> None:
        """Show a text in place of the keys, or the keys again."""
        self.footer.set_class(is_error, "-problem")
        self.footer.update(Content(text or self.KEYS_HINT))
        # On a low terminal the box scrolls, and an error must not be below its edge.
        self.call_after_refresh(self.footer.scroll_visible, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)


CANCEL, NO_TEXT = SafeText("cancel"), SafeText("")


class ConfirmDialog(Overlay[bool]):
    """Returns True only on `y`: Enter, Esc and n answer no, `d` is a third answer."""

    CSS = """
    ConfirmDialog { align: center middle; background: $background 60%; }
    ConfirmDialog > Vertical {
        width: 64; max-width: 90%; height: auto; border: round $warning; padding: 0 2; background: $background;
        border-title-color: $warning;
    }
    ConfirmDialog Static { height: auto; margin: 1 0 0 0; }
    ConfirmDialog #answers { color: $text-muted; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("confirm")]

    def __init__(
        self, question: SafeText, *, title: SafeText, yes: SafeText, no: SafeText = CANCEL, other: SafeText = NO_TEXT
    ) -> None:
        """`yes`, `no` and `other` are the labels of the answers."""
        super().__init__()
        self.question = question
        self._title = title
        self._answers = {"y": yes, "d": other, "esc": no}
        self.chose_other = False

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(Content(self.question), markup=False)
            lines = [f"{key:<4}{text}" for key, text in self._answers.items() if text]
            yield Static(Content("\n".join(lines)), id="answers", markup=False)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_other(self) -> None:
        """End with the third answer, where there is one."""
        if self._answers["d"]:
            self.chose_other = True
            self.dismiss(False)

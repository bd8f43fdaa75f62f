"""A dialog: one box in the middle of the dimmed screen, with a title, what it asks, and one quiet line of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.widgets.over_screen import OverScreen

Result = TypeVar("Result")


class Dialog(OverScreen[Result | None], Generic[Result]):
    """What the small screens share. Under the body stands one line: the keys, or what is wrong."""

    KEYS_WORD: ClassVar[Shown] = Shown("esc back")

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

    def __init__(self, title: Shown) -> None:
        super().__init__()
        self._title = title
        self.foot = Static(Content(self.KEYS_WORD), id="dialog-foot", markup=False)

    def body(self) -> Iterable[Widget]:
        """Return what stands between the title and the line of keys."""
        return ()

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(id="dialog") as box:
            box.border_title = Content(self._title)
            yield from self.body()
            yield self.foot

    def tell(self, words: Shown | None = None, *, problem: bool = False) -> None:
        """Say something in place of the keys, or name the keys again."""
        self.foot.set_class(problem, "-problem")
        self.foot.update(Content(words or self.KEYS_WORD))
        # On a low terminal the box scrolls, and what is wrong must not be below its edge.
        self.call_after_refresh(self.foot.scroll_visible, animate=False)

    def action_leave(self) -> None:
        """Leave with nothing."""
        self.dismiss(None)

"""A small screen over the app: a line to search in, a list under it, one row to leave with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import shown
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.dialog import OverScreen
from eternal_tui.tui.widgets.option_table import Column, PickList

Result = TypeVar("Result")


class SearchLine(Input):
    """The line one searches in; takes only text a terminal can be given."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Put gated text in place of a range."""
        super().replace(shown(text, limit=400), start, end)

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if lines := event.text.strip().splitlines():
            self.replace(lines[0], *sorted(self.selection))


class SearchScreen(OverScreen[Result | None], Generic[Result]):
    """What the character picker, the prompt history and the presets share. Escape leaves with None."""

    TITLE_WORD: ClassVar[str] = ""
    PLACEHOLDER: ClassVar[str] = "search"
    COLUMNS: ClassVar[Sequence[Column]] = ()
    KEYS_WORD: ClassVar[str] = "enter choose · esc back"

    DEFAULT_CSS = """
    SearchScreen {
        align: center middle; background: $background 60%;
        & > #search-box {
            width: 90%; max-width: 100; height: 80%; border: round $accent; padding: 0 1; background: $background;
        }
        & Input, & Input:focus { border: none; height: 1; padding: 0; background: transparent; margin-bottom: 1; }
        & #search-foot { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("search")]

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._first_text = text
        self._keys: list[str] = []
        self.line = SearchLine(
            text, placeholder=self.PLACEHOLDER, compact=True, select_on_focus=False, id="search-line"
        )
        self.list = PickList(self.COLUMNS, self.describe, id="search-list")
        self.foot = Static("", id="search-foot", markup=False)

    @abstractmethod
    def keys(self) -> list[str]:
        """Return, for each row, the text that is searched."""

    @abstractmethod
    def describe(self, row: int) -> Sequence[str]:
        """Return the cells of a row."""

    @abstractmethod
    def result(self, row: int) -> Result:
        """Return what leaving with this row means."""

    def empty_words(self) -> str:
        """Return what to say where there is no row at all."""
        return "nothing here yet"

    def compose(self) -> ComposeResult:
        """Lay out title, line, list and foot."""
        with Vertical(id="search-box") as box:
            box.border_title = Content(self.TITLE_WORD)
            yield self.line
            yield self.list
            yield self.foot

    def on_mount(self) -> None:
        """Fill the list once the screen is drawn."""
        self.line.focus()
        self.call_after_refresh(self.renew)

    def renew(self, *, keep_cursor: bool = False) -> None:
        """Read the rows again."""
        self._keys = [shown(key, limit=2_000).casefold() for key in self.keys()]
        self._search(keep_cursor=keep_cursor)

    def tell(self, words: str = "") -> None:
        """Say something in the foot, or which keys there are."""
        self.foot.update(shown(words or (self.KEYS_WORD if self._keys else f"{self.empty_words()} · esc back")))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._search()

    @on(PickList.Clicked)
    def _clicked(self, event: PickList.Clicked) -> None:
        event.stop()
        self.dismiss(self.result(event.row))

    def action_move(self, by: int) -> None:
        """Move the cursor of the list."""
        self.list.move(by)

    def action_leave(self) -> None:
        """Leave with nothing."""
        self.dismiss(None)

    def action_choose(self) -> None:
        """Leave with the row under the cursor."""
        if self.list.row is not None:
            self.dismiss(self.result(self.list.row))

    def _search(self, *, keep_cursor: bool = False) -> None:
        words = self.line.value.casefold().split()
        rows = [row for row, key in enumerate(self._keys) if all(word in key for word in words)]
        self.list.show(rows, keep_cursor=keep_cursor)
        self.tell("" if rows or not self._keys else "nothing fits")

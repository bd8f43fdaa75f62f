"""SearchDialog: a search line over a list; its result is a row."""

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

from eternal_tui.core.sanitize import sanitize
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.dialog import Overlay
from eternal_tui.tui.widgets.grapheme_input import GraphemeInput
from eternal_tui.tui.widgets.option_table import Column, VirtualList

Result = TypeVar("Result")


class SearchInput(GraphemeInput):
    """A line that takes only sanitized text; `takes_space` False leaves the space to the bindings of the screen."""

    takes_space = True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return super().check_consume_key(key, character) and (self.takes_space or key != "space")

    def replace(self, text: str, start: int, end: int) -> None:
        super().replace(sanitize(text, limit=400), start, end)

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if lines := event.text.strip().splitlines():
            self.replace(lines[0], *sorted(self.selection))


class SearchDialog(Overlay[Result | None], Generic[Result]):
    """Base of the character picker, the prompt history and the presets."""

    HEADING: ClassVar[str] = ""
    PLACEHOLDER: ClassVar[str] = "search"
    COLUMNS: ClassVar[Sequence[Column]] = ()
    KEYS_HINT: ClassVar[str] = "enter: choose · esc: back"
    EMPTY_TEXT: ClassVar[str] = "empty"

    DEFAULT_CSS = """
    SearchDialog {
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
        self._initial_text = text
        self._searched_text = ""
        self._search_texts: list[str] = []
        self.search_input = SearchInput(
            text, placeholder=self.PLACEHOLDER, compact=True, select_on_focus=False, id="search-line"
        )
        self.virtual_list = self.make_list()
        self.footer = Static("", id="search-foot", markup=False)

    def make_list(self) -> VirtualList:
        """Return the list of the rows."""
        return VirtualList(self.COLUMNS, self.row_cells, id="search-list")

    @abstractmethod
    def search_texts(self) -> list[str]:
        """Return, for each row, the text that is searched."""

    @abstractmethod
    def row_cells(self, row: int) -> Sequence[str]:
        """Return the cells of a row."""

    @abstractmethod
    def result_of(self, row: int) -> Result:
        """Return the result of choosing this row."""

    def keys_hint(self) -> str:
        return self.KEYS_HINT

    def compose(self) -> ComposeResult:
        with Vertical(id="search-box") as box:
            box.border_title = Content(self.HEADING)
            yield self.search_input
            yield self.virtual_list
            yield self.footer

    def on_mount(self) -> None:
        self.search_input.focus()
        self.call_after_refresh(self.reload_rows)

    def reload_rows(self, *, keep_cursor: bool = False) -> None:
        """Read the rows again."""
        self._search_texts = [sanitize(key, limit=2_000).casefold() for key in self.search_texts()]
        self._filter_rows(keep_cursor=keep_cursor)

    def set_footer_text(self, text: str = "") -> None:
        """Show a text under the list, or the keys."""
        self.footer.update(
            sanitize(text or (self.keys_hint() if self._search_texts else f"{self.EMPTY_TEXT} · esc: back"))
        )

    @on(Input.Changed)
    def _input_changed(self) -> None:
        # A late change, after a key that cleared the line, must not overwrite that key's text.
        if self.search_input.value != self._searched_text:
            self._filter_rows()

    @on(VirtualList.RowClicked)
    def _row_clicked(self, event: VirtualList.RowClicked) -> None:
        self.dismiss(self.result_of(event.row))

    def action_move(self, by: int) -> None:
        self.virtual_list.move_cursor(by)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_choose(self) -> None:
        if self.virtual_list.current_row is not None:
            self.dismiss(self.result_of(self.virtual_list.current_row))

    def _filter_rows(self, *, keep_cursor: bool = False) -> None:
        self._searched_text = self.search_input.value
        words = self._searched_text.casefold().split()
        rows = [row for row, key in enumerate(self._search_texts) if all(word in key for word in words)]
        self.virtual_list.set_rows(rows, keep_cursor=keep_cursor)
        self.set_footer_text("" if rows or not self._search_texts else "no matches · esc: back")

"""PromptField: the prompt, its label with hints above, its error below."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from unicodedata import category

from rich.cells import cell_len, set_cell_size, split_graphemes
from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Static, TextArea
from textual.widgets.text_area import Edit, EditResult, Selection

from eternal_tui.api.curl import is_curl_command
from eternal_tui.core.sanitize import VARIATION_SELECTORS, ZERO_WIDTH_JOINERS, clean_prompt, sanitize
from eternal_tui.drafts.draft import MAX_PROMPT_CHARS
from eternal_tui.drafts.expansion import SNIPPET_PATTERN
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.fields import FieldHint, RefusesCurl
from eternal_tui.tui.request_form.messages import CurlPasted, FieldEdited
from eternal_tui.tui.widgets.grapheme_input import GraphemeTextArea

_PLACEHOLDER = "Describe the image, e.g. in a raincoat at the harbour"

_FINISHED_SNIPPET_PATTERN = re.compile(SNIPPET_PATTERN.pattern + r"[^\w-]$")
_BEGUN_SNIPPET_PATTERN = re.compile(r"(?<![\w@])@([\w-]*)$")

_INVISIBLE_REMOVED = dict.fromkeys(map(ord, ZERO_WIDTH_JOINERS | VARIATION_SELECTORS))


def sanitize_clusters(text: str) -> str:
    """Return the text sanitized, each emoji as wide as before and joined letters next to each other."""
    clusters, _ = split_graphemes(text)
    return "".join(_sanitize_cluster(text[start:end], width) for start, end, width in clusters)


def _sanitize_cluster(cluster: str, width: int) -> str:
    drawn = sanitize(cluster.translate(_INVISIBLE_REMOVED))
    # Of a joined emoji sequence one is drawn, to keep the width. Letters are all drawn.
    return set_cell_size(drawn, width) if cell_len(drawn) < width or category(cluster[0]) == "So" else drawn


class PromptArea(RefusesCurl, GraphemeTextArea):
    """A text area that holds only text a terminal can be given: everything that enters it passes `clean_prompt`."""

    DEFAULT_CSS = """
    PromptArea, PromptArea:focus {
        border: none; padding: 0; height: 1fr; min-height: 3; background: transparent; scrollbar-size-vertical: 1;
        & .text-area--cursor-line { background: transparent; }
        & .text-area--placeholder { color: $text-muted; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("prompt")]

    class TypedOver(Message):
        """The first key typed into a restored or sent prompt replaced it."""

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder=_PLACEHOLDER,
        )
        self.snippets: Mapping[str, str] = {}
        self.is_replaceable = False

    def render_line(self, y: int) -> Strip:
        """Draw a line sanitized, cell by cell so that the cursor stays in its column."""
        strip = super().render_line(y)
        if all(segment.text.isascii() for segment in strip):
            return strip
        drawn = Strip([Segment(sanitize_clusters(text), style, control) for text, style, control in strip])
        return drawn.adjust_cell_length(strip.cell_length)

    def replace_all(self, text: str) -> None:
        self.replace(text, self.document.start, self.document.end, maintain_selection_offset=False)
        self.move_cursor(self.document.end)

    def edit(self, edit: Edit) -> EditResult:
        """Let only clean text in, and no more of it than there is room for."""
        if self.is_replaceable:
            self.is_replaceable = False
            if self.selected_text == self.text and self.text:
                self.post_message(self.TypedOver())
        replaced = len(self.get_text_range(*sorted((edit.from_location, edit.to_location))))
        room = max(0, MAX_PROMPT_CHARS - len(self.text) + replaced)
        edit.text = clean_prompt(edit.text)[:room]
        result = super().edit(edit)
        if len(edit.text) == 1 and self.snippets:
            self._insert_snippet(*edit.from_location)
        return result

    def _insert_snippet(self, row: int, column: int) -> None:
        """Replace the `@name` that ends before the character just typed."""
        found = _FINISHED_SNIPPET_PATTERN.search(self.document.get_line(row)[: column + 1])
        if found and (text := self.snippets.get(found[1])) is not None:
            self.replace(text, (row, found.start(1) - 1), (row, found.end(1)))

    def matching_snippets(self) -> list[str]:
        """Return the names of snippets that the word before the cursor may become."""
        row, column = self.cursor_location
        found = _BEGUN_SNIPPET_PATTERN.search(self.document.get_line(row)[:column])
        return [name for name in self.snippets if name.startswith(found[1])] if found else []

    def make_replaceable(self) -> None:
        """Select the whole text whenever the focus comes, so that typing replaces it, until something else is done."""
        self.is_replaceable = bool(self.text)
        if self.has_focus and self.text:
            self.select_all()

    def on_focus(self) -> None:
        if self.is_replaceable:
            self.select_all()

    def on_blur(self) -> None:
        if self.is_replaceable:
            self.selection = Selection.cursor(self.document.end)

    def action_paste(self) -> None:
        if is_curl_command(self.app.clipboard):
            self.post_message(CurlPasted(self.app.clipboard))
            return
        super().action_paste()


_FULL_MESSAGE = f"The prompt is limited to {MAX_PROMPT_CHARS:,} characters."
_KEYS_HINT = "enter: newline · tab: next"


class PromptField(Vertical):
    """Label, text and error of the prompt."""

    DEFAULT_CSS = """
    PromptField {
        height: 1fr; min-height: 4; border-left: blank;
        & #prompt-label { height: 1; width: 1fr; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        &:focus-within { border-left: outer $accent; }
        &:focus-within #prompt-label { color: $text-accent; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="prompt-field")
        self._area = PromptArea()
        self._hint = FieldHint(id="prompt-hint")
        self._label = Static("Prompt", id="prompt-label", markup=False)
        self._origin = ("", "")

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._area
        yield self._hint

    @property
    def text(self) -> str:
        return self._area.text

    @property
    def selected_text(self) -> str:
        return self._area.selected_text

    def set_text(self, text: str) -> None:
        """Replace the prompt, as one edit that undo takes back."""
        self._area.is_replaceable = False
        if text != self._area.text:
            self._area.replace_all(text)
        self._update_label()

    def set_origin(self, origin: str, *, is_replaceable: bool) -> None:
        """Show the source of the text until it is edited; typing replaces or continues it."""
        self._origin = (origin, self.text)
        if is_replaceable:
            self._area.make_replaceable()
        elif self._area.is_replaceable:
            self._area.is_replaceable = False
            self._area.move_cursor(self._area.document.end)
        self._update_label()

    def confirm_sent(self) -> None:
        """Name the prompt "sent" if it still is the one that was being sent."""
        if self._origin[0] == "sending":
            self._origin = ("sent", self._origin[1])
            self._update_label()

    def set_restorable(self, prompt: str) -> None:
        """Show in the empty prompt which one ctrl+g brings back, "" for none."""
        beginning = " ".join(prompt[:200].split())
        self._area.placeholder = Content(sanitize(f"^g restores: {beginning}" if beginning else _PLACEHOLDER))

    def set_snippets(self, snippets: Mapping[str, str]) -> None:
        self._area.snippets = snippets

    def insert(self, text: str) -> None:
        self._area.is_replaceable = False
        self._area.insert(text)

    def show_error(self, message: str) -> None:
        """Show the error; a prompt at its length limit shows its own."""
        full = len(self.text) >= MAX_PROMPT_CHARS
        self._hint.set_text("", message or (_FULL_MESSAGE if full else ""))

    def focus_input(self) -> None:
        self._area.focus()

    def _update_label(self) -> None:
        origin, unedited = self._origin
        hints = [origin] if origin and unedited and self.text == unedited else []
        if self._area.is_replaceable and self._area.has_focus:
            hints.append("typing replaces it, → continues it")
        elif self._area.has_focus:
            names = [f"@{name}" for name in self._area.matching_snippets()[:6]]
            hints.append(f"{' '.join(names)}: space inserts" if names else _KEYS_HINT)
        self._label.update(Content(sanitize(" · ".join(["Prompt", *hints]))))

    @on(TextArea.Changed)
    def _text_changed(self) -> None:
        self.post_message(FieldEdited(is_prompt=True))

    @on(TextArea.SelectionChanged)
    def _selection_changed(self) -> None:
        if self._area.has_focus and self._area.is_replaceable and self._area.selected_text != self.text:
            self._area.is_replaceable = False
        self._update_label()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_changed(self) -> None:
        self._update_label()

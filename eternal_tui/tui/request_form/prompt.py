"""The prompt with its label above and its sentence below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from unicodedata import category

from rich.cells import cell_len, set_cell_size, split_graphemes
from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Static, TextArea
from textual.widgets.text_area import Edit, EditResult

from eternal_tui.api.curl import is_curl_command
from eternal_tui.core.sanitize import VARIATION_SELECTORS, ZERO_WIDTH_JOINERS, clean_prompt, sanitize
from eternal_tui.drafts.draft import MAX_PROMPT_CHARS
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.request_form.fields import FieldHint

_INVISIBLE_REMOVED = dict.fromkeys(map(ord, ZERO_WIDTH_JOINERS | VARIATION_SELECTORS))


def sanitize_clusters(text: str) -> str:
    """Return a text that passed the gate, emoji as wide as they were, letters that were joined one beside the other."""
    clusters, _ = split_graphemes(text)
    return "".join(_sanitize_cluster(text[start:end], width) for start, end, width in clusters)


def _sanitize_cluster(cluster: str, width: int) -> str:
    drawn = sanitize(cluster.translate(_INVISIBLE_REMOVED))
    # Of a family one is drawn: the others would push away what stands behind them. A letter is never left out.
    return set_cell_size(drawn, width) if cell_len(drawn) < width or category(cluster[0]) == "So" else drawn


class PromptArea(TextArea):
    """A text area that holds only text a terminal can be given: everything that enters it passes `clean_prompt`."""

    DEFAULT_CSS = """
    PromptArea, PromptArea:focus {
        border: none; padding: 0; height: 1fr; min-height: 3; background: transparent; scrollbar-size-vertical: 1;
        & .text-area--cursor-line { background: transparent; }
        & .text-area--placeholder { color: $text-muted; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("prompt")]

    @dataclass
    class CurlPasted(Message):
        """A curl command was pasted; it was not put into the prompt, for it may carry a key."""

        text: str

    @dataclass
    class Blurred(Message):
        """The focus left the prompt."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="What is to change in the picture",
        )

    def render_line(self, y: int) -> Strip:
        """Draw a line through the gate: what a prompt holds beyond it, as joiners of emoji, has no picture anyway.

        Cell by cell where that can be, so that the cursor stands where the text says.
        """
        strip = super().render_line(y)
        if all(segment.text.isascii() for segment in strip):
            return strip
        drawn = Strip([Segment(sanitize_clusters(text), style, control) for text, style, control in strip])
        return drawn.adjust_cell_length(strip.cell_length)

    def replace_all(self, text: str) -> None:
        """Put `text` in place of the whole prompt as one edit, so that undo brings the old one back."""
        self.replace(text, self.document.start, self.document.end, maintain_selection_offset=False)
        self.move_cursor(self.document.end)

    def edit(self, edit: Edit) -> EditResult:
        """Let only clean text in, and no more of it than there is room for."""
        replaced = len(self.get_text_range(*sorted((edit.from_location, edit.to_location))))
        room = max(0, MAX_PROMPT_CHARS - len(self.text) + replaced)
        edit.text = clean_prompt(edit.text)[:room]
        return super().edit(edit)

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual calls the handler of the base class by itself, unless the default is prevented.
        if is_curl_command(event.text):
            event.prevent_default()
            event.stop()
            self.post_message(self.CurlPasted(event.text))

    def on_blur(self) -> None:
        """Say that the prompt is done with for now."""
        self.post_message(self.Blurred())

    def action_paste(self) -> None:
        """Paste from the program's own clipboard."""
        if is_curl_command(self.app.clipboard):
            self.post_message(self.CurlPasted(self.app.clipboard))
            return
        super().action_paste()


_FULL_MESSAGE = f"A prompt holds {MAX_PROMPT_CHARS:,} characters here; more is left out."


class PromptField(Vertical):
    """The prompt takes all the room the other fields leave."""

    DEFAULT_CSS = """
    PromptField {
        height: 1fr; min-height: 4; border-left: blank;
        & #prompt-label { height: 1; width: 1fr; color: $text-muted; }
        &:focus-within { border-left: outer $accent; }
        &:focus-within #prompt-label { color: $text-accent; }
    }
    """

    @dataclass
    class Edited(Message):
        """The prompt changed."""

    @dataclass
    class Blurred(Message):
        """The focus left the prompt."""

    @dataclass
    class CurlPasted(Message):
        """A curl command was pasted, and kept out of the prompt."""

        text: str

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._area = PromptArea(id="prompt")
        self._hint = FieldHint(id="prompt-hint")

    def compose(self) -> ComposeResult:
        """Lay out label, area and sentence."""
        yield Static("Prompt", id="prompt-label", markup=False)
        yield self._area
        yield self._hint

    @property
    def text(self) -> str:
        """The whole prompt."""
        return self._area.text

    def set_text(self, text: str) -> None:
        """Put `text` in place of the prompt, as one edit that undo takes back."""
        if text != self._area.text:
            self._area.replace_all(text)

    def show_error(self, message: str) -> None:
        """Say what is wrong, or with "" nothing; a full prompt says so by itself."""
        full = len(self.text) >= MAX_PROMPT_CHARS
        self._hint.set_text("", message or (_FULL_MESSAGE if full else ""))

    def focus_input(self) -> None:
        """Put the cursor into the prompt."""
        self._area.focus()

    @on(TextArea.Changed)
    def _text_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())

    @on(PromptArea.Blurred)
    def _text_blurred(self, event: PromptArea.Blurred) -> None:
        event.stop()
        self.post_message(self.Blurred())

    @on(PromptArea.CurlPasted)
    def _curl_pasted(self, event: PromptArea.CurlPasted) -> None:
        event.stop()
        self.post_message(self.CurlPasted(event.text))

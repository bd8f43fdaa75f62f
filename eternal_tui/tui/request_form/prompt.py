"""The prompt with its label above and its sentence below."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from eternal_tui.drafts.draft import PROMPT_LIMIT
from eternal_tui.tui.request_form.hint import Hint
from eternal_tui.tui.request_form.prompt_area import PromptArea

_FULL = f"A prompt holds {PROMPT_LIMIT:,} characters here; more is left out."


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
    class Left(Message):
        """The focus left the prompt."""

    @dataclass
    class CurlPasted(Message):
        """A curl command was pasted, and kept out of the prompt."""

        text: str

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._area = PromptArea(id="prompt")
        self._hint = Hint(id="prompt-hint")

    def compose(self) -> ComposeResult:
        """Lay out label, area and sentence."""
        yield Static("Prompt", id="prompt-label", markup=False)
        yield self._area
        yield self._hint

    @property
    def text(self) -> str:
        """The whole prompt."""
        return self._area.text

    def show(self, text: str) -> None:
        """Put `text` in place of the prompt, as one edit that undo takes back."""
        if text != self._area.text:
            self._area.replace_all(text)

    def complain(self, problem: str) -> None:
        """Say what is wrong, or with "" nothing; a full prompt says so by itself."""
        full = len(self.text) >= PROMPT_LIMIT
        self._hint.say("", problem or (_FULL if full else ""))

    def focus_area(self) -> None:
        """Put the cursor into the prompt."""
        self._area.focus()

    @on(TextArea.Changed)
    def _edited(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())

    @on(PromptArea.Left)
    def _left(self, event: PromptArea.Left) -> None:
        event.stop()
        self.post_message(self.Left())

    @on(PromptArea.CurlPasted)
    def _pasted(self, event: PromptArea.CurlPasted) -> None:
        event.stop()
        self.post_message(self.CurlPasted(event.text))

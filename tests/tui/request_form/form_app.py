"""The form alone in an app, with everything it posts written down in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import DescendantFocus
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from eternal_tui.api.models import Character, validate
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.drafts.draft import Draft
from eternal_tui.tui.request_form.form import RequestForm
from eternal_tui.tui.request_form.messages import (
    CharactersRequested,
    DraftChanged,
    PresetsChanged,
    PromptHistoryRequested,
    RequestsChanged,
    SubmitRequested,
)
from eternal_tui.tui.terminal.base_app import TerminalApp
from eternal_tui.tui.themes import register_themes
from tests.drawn import screen_strips

Posted = TypeVar("Posted", bound=Message)


def make_character(identifier: str, name: str, age: int | None = 30, description: str = "") -> Character:
    return Character(
        id=identifier,
        name=UntrustedText(name),
        age=age,
        gender=UntrustedText("female"),
        description=UntrustedText(description),
    )


CHARACTERS = (
    make_character("6870", "Astrid", 24, "Paints the harbour in the rain"),
    make_character("6790", "Elara", 31, "Marine biologist"),
    make_character("6801", "Astor", 40, "Keeps bees"),
    make_character("6900", "Mia", 16),
)


class FormApp(TerminalApp):
    """Holds the form as the program does: in one pane, with the submit key bound at the top."""

    CSS = """
    #pane { width: 36; height: 1fr; border: round $border-blurred; padding: 0 1; }
    #pane.drawer { width: 60; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "submit", "Submit"), Binding("1,2,3", "pane", "Pane")]

    def __init__(
        self,
        *,
        drawer: bool = False,
        characters: tuple[Character, ...] = CHARACTERS,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        register_themes(self)
        self.theme = "eternal-dark"
        self.drawer = drawer
        self.characters = characters
        self.form = RequestForm(environ=environ)
        self.posted: list[Message] = []
        self.pane_action_called = False

    def compose(self) -> ComposeResult:
        with Vertical(id="pane", classes="drawer" if self.drawer else "") as pane:
            pane.border_title = "1 Request"
            yield self.form

    def on_mount(self) -> None:
        if self.characters:
            self.form.set_characters(self.characters)
        self.form.focus_first()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Hold every cursor still, as the app does, also that of a screen that comes later."""
        if isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False

    def action_pane(self) -> None:
        self.pane_action_called = True

    def action_submit(self) -> None:
        self.form.submit()

    @on(SubmitRequested)
    @on(RequestsChanged)
    @on(DraftChanged)
    @on(PresetsChanged)
    @on(CharactersRequested)
    @on(PromptHistoryRequested)
    def _note_posted(self, message: Message) -> None:
        self.posted.append(message)

    def posted_of_type(self, message_type: type[Posted]) -> list[Posted]:
        """Return every message of a kind, in order."""
        return [each for each in self.posted if isinstance(each, message_type)]

    @property
    def submitted_bodies(self) -> list[dict[str, object]]:
        """The bodies of everything submitted, each of which must keep every documented rule."""
        return [validate(request).body() for each in self.posted_of_type(SubmitRequested) for request in each.requests]

    def screen_text(self) -> str:
        """Return what stands on the screen, row by row."""
        return "\n".join(strip.text.rstrip() for strip in screen_strips(self.screen))


@asynccontextmanager
async def open_form(
    draft: Draft | None = None, *, size: tuple[int, int] = (80, 24), **how: Any
) -> AsyncIterator[tuple[FormApp, Pilot[None]]]:
    """Run an app with the form, which shows the draft; `how` are arguments of FormApp."""
    app = FormApp(**how)
    async with app.run_test(size=size) as pilot:
        if draft is not None:
            app.form.load(draft)
            await pilot.pause()
        yield app, pilot


async def type_text(pilot: Pilot[None], text: str) -> None:
    """Press the keys of a text."""
    names = {" ": "space", "\n": "enter", ",": "comma", "/": "slash", ":": "colon", ".": "full_stop"}
    await pilot.press(*(names.get(one, one) for one in text))


async def paste_text(app: FormApp, pilot: Pilot[None], selector: str, text: str) -> None:
    """Paste as a terminal does: into whatever has the focus."""
    app.screen.query_one(selector).focus()
    await pilot.pause()
    app.post_message(events.Paste(text))
    await pilot.pause()

"""Creating a character: a prompt, a question, one paid request, and what became of it in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.api.answers import CreateAnswer
from eternal_tui.api.errors import ApiError, Unclear
from eternal_tui.api.request import is_character_id
from eternal_tui.tui.actions import bindings
from eternal_tui.tui.confirm import Confirm
from eternal_tui.tui.dialog import Dialog
from eternal_tui.tui.form.search_screen import SearchLine
from eternal_tui.untrusted import Shown, join, say, shown
from eternal_tui.workbench import Workbench

ABOUT = Shown(
    "Experimental: the service does not document this request. It makes look, name and story of a new character from "
    "your words, and it costs credits; how many is not known before. Adults only."
)


def outcome(answer: CreateAnswer) -> Shown:
    """Return what the service's answer means, in words."""
    left = Shown("")
    if answer.credits_remaining is not None:
        left = say(" {n} credits are left.", n=f"{answer.credits_remaining:.2f}")
    if answer.character_id:
        return say("Character {id} was created.{left}", id=answer.character_id, left=left)
    return say(
        "The service took it as request {id} and gave no character yet; it will be in the list when it is made.{left}",
        id=answer.request_id or "?",
        left=left,
    )


class CreateCharacter(Dialog[str]):
    """Leaves with the new character's id, with None where there is none. Sends at most once."""

    KEYS_WORD = Shown("enter asks, then creates · esc back")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("create")]

    def __init__(self, bench: Workbench) -> None:
        super().__init__(Shown("Create a character"))
        self._bench = bench
        self._sent = self._waiting = False
        self.line = SearchLine(placeholder="a harbour pilot in her forties, calm, weathered", compact=True)

    def body(self) -> Iterable[Widget]:
        """Say what this is, over the line for the prompt."""
        yield Static(Content(ABOUT), classes="label", markup=False)
        yield Static("", markup=False)
        yield self.line

    def on_mount(self) -> None:
        """Begin to write."""
        self.line.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        prompt = event.value.strip()
        if not prompt:
            self.tell(Shown("Write a few words first."), problem=True)
        elif not self._sent:
            self._create(prompt)

    @work
    async def _create(self, prompt: str) -> None:
        question = say("Create a character from “{prompt}”? It costs credits; how many is not known.", prompt=prompt)
        if self._bench.settings.daily_cap is not None:
            question = join(" ", question, Shown("So it cannot be held to your daily cap."))
        asked = Confirm(
            question,
            title=Shown("This costs credits"),
            yes=Shown("create it, one request"),
            no=Shown("do not send"),
        )
        if self._sent or not await self.app.push_screen_wait(asked) or self._sent:
            return
        self._sent = self._waiting = True
        self.line.disabled = True
        self.tell(Shown("Sent; waiting for the answer."))
        try:
            answer = await self._bench.connection.create_character(prompt)
        except ApiError as error:
            self._failed(error)
            return
        self.app.notify(outcome(answer), markup=False, timeout=10)
        identifier = answer.character_id or ""
        self.dismiss(identifier if is_character_id(identifier) else None)

    def action_leave(self) -> None:
        """Leave, but not while the answer to a paid request is awaited."""
        if not self._waiting:
            self.dismiss(None)

    def _failed(self, error: ApiError) -> None:
        unclear = Shown("It is not known whether it was created or charged. It is not sent again by itself.")
        self._waiting = False
        parts = [shown(str(error)), shown(error.said, limit=300), unclear if isinstance(error, Unclear) else Shown("")]
        self.tell(join(" ", *(part for part in parts if part)), problem=True)

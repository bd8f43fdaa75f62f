"""Creating a character: a prompt, a question, one paid request, and what became of it in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.api.models import InvalidRequest, creation
from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.errors import SubmitRefused
from eternal_tui.jobs.model import JobState
from eternal_tui.services import Workbench
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.dialog import Confirm, Dialog
from eternal_tui.tui.widgets.search_dialog import SearchLine

ABOUT = Shown(
    "Experimental: the service does not document this request. It makes look, name and story of a new character from "
    "your words, and it costs credits. Adults only."
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
        price = self._bench.desk.estimate(creation(prompt))
        cost = (
            say("about {n} credits", n=f"{price:.2f}") if price is not None else Shown("credits; how many is not known")
        )
        question = say("Create a character from “{prompt}”? It costs {cost}.", prompt=prompt, cost=cost)
        if price is None and self._bench.settings.daily_cap is not None:
            question = join(" ", question, Shown("So it may go past your daily cap."))
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
            job = await self._bench.desk.create_character(prompt, confirmed=True)
        except (SubmitRefused, InvalidRequest, HistoryError) as error:
            self._failed(shown(str(error)))
            return
        if job.state is not JobState.SUCCEEDED:
            self._failed(shown(job.error, limit=600), unclear=job.state is JobState.UNCONFIRMED)
            return
        self.dismiss(job.request.character or None)

    def action_leave(self) -> None:
        """Leave, but not while the answer to a paid request is awaited."""
        if not self._waiting:
            self.dismiss(None)

    def _failed(self, reason: Shown, *, unclear: bool = False) -> None:
        self._waiting = False
        doubt = Shown("It stands in the list of jobs as unconfirmed and is not sent again by itself.")
        self.tell(join(" ", reason, doubt) if unclear else reason, problem=True)

"""CreateCharacter: creates a character from a prompt, by one paid request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.api.models import InvalidRequest, character_request
from eternal_tui.core.formatting import format_cost
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.errors import SubmitRejected
from eternal_tui.jobs.model import JobState
from eternal_tui.services import Services
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.dialog import ConfirmDialog, Dialog
from eternal_tui.tui.widgets.search_dialog import SearchInput

INTRODUCTION = SafeText(
    "Experimental, undocumented by the API. Generates a new character (appearance, name, backstory) from your prompt. "
    "Costs credits. Adults only."
)


class CreateCharacter(Dialog[str]):
    """Leaves with the new character's ID, or None. Sends at most once."""

    KEYS_HINT = SafeText("enter: create (asks first) · esc: cancel")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("create")]

    def __init__(self, services: Services) -> None:
        super().__init__(SafeText("Create a character"))
        self._services = services
        self._is_sent = self._is_waiting = False
        self.prompt_input = SearchInput(placeholder="a harbour pilot in her forties, calm, weathered", compact=True)

    def body(self) -> Iterable[Widget]:
        yield Static(Content(INTRODUCTION), classes="label", markup=False)
        yield Static("", markup=False)
        yield self.prompt_input

    def on_mount(self) -> None:
        self.prompt_input.focus()

    @on(Input.Submitted)
    def _input_submitted(self, event: Input.Submitted) -> None:
        prompt = event.value.strip()
        if not prompt:
            self.set_footer_text(SafeText("Prompt is required."), is_error=True)
        elif not self._is_sent:
            self._create(prompt)

    @work
    async def _create(self, prompt: str) -> None:
        price = self._services.jobs.billing.estimate(character_request(prompt))
        cost = format_cost(price) if price is not None else "credits (price unknown)"
        question = format_safe("Create a character from “{prompt}”? It costs {cost}.", prompt=prompt, cost=cost)
        if price is None and self._services.settings.daily_cap is not None:
            question = join_safe(" ", question, SafeText("It may exceed your daily_cap."))
        asked = ConfirmDialog(
            question,
            title=SafeText("This costs credits"),
            yes=SafeText("create"),
        )
        if self._is_sent or not await self.app.push_screen_wait(asked) or self._is_sent:
            return
        self._is_sent = self._is_waiting = True
        self.prompt_input.disabled = True
        self.set_footer_text(SafeText("Sent. Waiting for the response."))
        try:
            job = await self._services.jobs.create_character(prompt, confirmed=True)
        except (SubmitRejected, InvalidRequest, HistoryError) as error:
            self._show_failure(sanitize(str(error)))
            return
        if job.state is not JobState.SUCCEEDED:
            self._show_failure(sanitize(job.error, limit=600), is_unconfirmed=job.state is JobState.UNCONFIRMED)
            return
        self.dismiss(job.request.character or None)

    def action_leave(self) -> None:
        if not self._is_waiting:
            self.dismiss(None)

    def _show_failure(self, reason: SafeText, *, is_unconfirmed: bool = False) -> None:
        self._is_waiting = False
        note = SafeText("It is in the list of jobs as unconfirmed and is not retried automatically.")
        self.set_footer_text(join_safe(" ", reason, note) if is_unconfirmed else reason, is_error=True)

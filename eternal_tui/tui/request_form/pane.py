"""The request pane: the form in its frame, built after the first frame is on the screen, and its files kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.content import Content
from textual.message import Message

from eternal_tui.api.models import Character, GenerateRequest
from eternal_tui.core.sanitize import Shown, Untrusted, say
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import DraftStore, PresetStore
from eternal_tui.tui.terminal.glyphs import Glyphs

if TYPE_CHECKING:
    from eternal_tui.tui.request_form.form import RequestForm

REPEAT_GUARD = 1.0
"""Seconds in which the very same form is not sent twice: a key held down repeats thirty times a second."""


class FormPane(Container):
    """Holds the form and keeps its draft and presets in the data folder.

    A draft is written at most once a second, and once more when the pane goes.
    """

    DEFAULT_CSS = """
    FormPane {
        border: round $border-blurred; border-title-color: $text-muted; background: $background; padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
    }
    """

    class Sent(Message):
        """The form is to be sent."""

        def __init__(self, requests: Sequence[GenerateRequest], names: Sequence[Untrusted]) -> None:
            super().__init__()
            self.requests = requests
            self.names = names

    class Priced(Message):
        """The mean price of these requests is wanted."""

        def __init__(self, requests: Sequence[GenerateRequest]) -> None:
            super().__init__()
            self.requests = requests

    class CharactersWanted(Message):
        """The list of characters is wanted."""

    class HistoryWanted(Message):
        """Earlier prompts are wanted."""

    class Told(Message):
        """Something about the form is to be said."""

        def __init__(self, text: Shown) -> None:
            super().__init__()
            self.text = text

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str],
        glyphs: Glyphs,
        monotonic: Callable[[], float],
        number: int = 0,
    ) -> None:
        """Build the frame; `number` is the key that goes to it."""
        super().__init__(id="form")
        self._environ = environ
        self._glyphs = glyphs
        self._monotonic = monotonic
        self._drafts = DraftStore(folder)
        self._presets = PresetStore(folder)
        self._form: RequestForm | None = None
        self._filling: asyncio.Task[RequestForm] | None = None
        self._characters: tuple[Sequence[Character], Callable[[str], str]] | None = None
        self._last_sent: tuple[Sequence[GenerateRequest], float] | None = None
        self._pending: list[Sequence[GenerateRequest]] = []
        self._flush_due = False
        self.border_title = Content(f"{number} Request" if number else "Request")

    async def fill(self) -> RequestForm:
        """Build the form, once, with the kept draft and presets; return it."""
        if self._filling is None:
            self._filling = asyncio.create_task(self._fill())
        return await asyncio.shield(self._filling)

    async def _fill(self) -> RequestForm:
        from eternal_tui.tui.request_form.form import RequestForm

        form = RequestForm(environ=self._environ, glyphs=self._glyphs)
        await self.mount(form)
        self._form = form
        if (draft := self._drafts.load()) is not None:
            form.load(draft)
        # Behind the draft: one that was left empty is no reason to hide the default preset.
        form.set_presets(self._presets.load())
        if self._characters is not None:
            form.set_characters(*self._characters)
        for notice in (*self._drafts.notices, *self._presets.notices):
            self.post_message(self.Told(say("{notice}", notice=notice)))
        return form

    async def focus_first(self) -> None:
        """Put the cursor into the first field."""
        (await self.fill()).focus_first()

    async def take(self, request: GenerateRequest) -> None:
        """Put a request into the form."""
        (await self.fill()).fill(request)

    async def submit(self) -> bool:
        """Ask the form to be sent; False when it says what is missing instead."""
        return (await self.fill()).submit()

    def answered(self, requests: Sequence[GenerateRequest]) -> None:
        """Note that there is an answer to what was sent, or that it was not sent; the form keeps its text."""
        self._pending.remove(requests)
        if self._last_sent is not None and self._last_sent[0] == requests:
            # A thumb that went on pressing while it waited has not seen the answer yet.
            self._last_sent = (requests, self._monotonic())

    def wait(self, words: Shown) -> None:
        """Say what is waited for before the request is sent; "" ends it."""
        if self._form is not None:
            self._form.wait(words)

    def price_again(self) -> None:
        """Ask for the price of the form's request: what is known of prices has changed."""
        if self._form is not None:
            self.post_message(self.Priced(self._form.requests))

    def set_estimate(self, price: float | None) -> None:
        """Show about what one such request costs."""
        if self._form is not None:
            self._form.set_estimate(price)

    def set_characters(self, characters: Sequence[Character], refusal: Callable[[str], str]) -> None:
        """Give the form the list of characters, now or when it is built."""
        self._characters = (characters, refusal)
        if self._form is not None:
            self._form.set_characters(characters, refusal)

    def show_history(self, prompts: Sequence[str]) -> None:
        """Open the search over earlier prompts."""
        if self._form is not None:
            self._form.show_history(prompts)

    @property
    def form(self) -> RequestForm | None:
        """The form, once it is built."""
        return self._form

    def keep(self) -> None:
        """Write the draft."""
        self._flush_due = False
        try:
            self._drafts.flush()
        except OSError as error:
            self.post_message(self.Told(say("The draft could not be kept: {why}.", why=error.strerror or error)))

    def on_unmount(self) -> None:
        """Keep what was typed last."""
        self.keep()

    # Handlers by name: the form, and the large text area in it, are imported when it is built.

    def on_request_form_submitted(self, event: RequestForm.Submitted) -> None:
        """Send what the form holds, unless it was sent a moment ago or is on its way."""
        event.stop()
        if event.requests in self._pending:
            self.post_message(self.Told(Shown("Still being sent: this press sent nothing more.")))
            return
        now = self._monotonic()
        if self._last_sent is not None:
            requests, at = self._last_sent
            if requests == event.requests and now - at < REPEAT_GUARD:
                self.post_message(self.Told(Shown("Sent just now. Press again to send the same once more.")))
                return
        self._last_sent = (event.requests, now)
        self._pending.append(event.requests)
        self.post_message(self.Sent(event.requests, event.names))

    def on_request_form_changed(self, event: RequestForm.Changed) -> None:
        """Ask for the price of what the form holds now."""
        event.stop()
        self.post_message(self.Priced(event.requests))

    def on_request_form_draft_changed(self, event: RequestForm.DraftChanged) -> None:
        """Keep the draft soon."""
        event.stop()
        self._keep_soon(event.draft)

    def _keep_soon(self, draft: Draft) -> None:
        self._drafts.keep(draft)
        if not self._flush_due:
            self._flush_due = True
            self.set_timer(1.0, self.keep)

    def on_request_form_presets_changed(self, event: RequestForm.PresetsChanged) -> None:
        """Keep the presets."""
        event.stop()
        try:
            self._presets.save(event.presets)
        except OSError as error:
            self.post_message(self.Told(say("The presets could not be kept: {why}.", why=error.strerror or error)))

    def on_request_form_characters_wanted(self, event: RequestForm.CharactersWanted) -> None:
        """Ask for the characters."""
        event.stop()
        self.post_message(self.CharactersWanted())

    def on_request_form_history_wanted(self, event: RequestForm.HistoryWanted) -> None:
        """Ask for earlier prompts."""
        event.stop()
        self.post_message(self.HistoryWanted())

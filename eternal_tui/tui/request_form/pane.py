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
from eternal_tui.core.sanitize import SafeText, UntrustedText, format_safe
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import DraftStore, PresetStore
from eternal_tui.tui.terminal.glyphs import Glyphs

if TYPE_CHECKING:
    from eternal_tui.tui.request_form.form import RequestForm

REPEAT_GUARD_SECONDS = 1.0
"""Seconds in which the very same form is not sent twice: a key held down repeats thirty times a second."""


class RequestFormPane(Container):
    """Holds the form and keeps its draft and presets in the data folder.

    A draft is written at most once a second, and once more when the pane goes.
    """

    DEFAULT_CSS = """
    RequestFormPane {
        border: round $border-blurred; border-title-color: $text-muted; background: $background; padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
    }
    """

    class SubmitRequested(Message):
        """The form is to be sent."""

        def __init__(self, requests: Sequence[GenerateRequest], character_names: Sequence[UntrustedText]) -> None:
            super().__init__()
            self.requests = requests
            self.character_names = character_names

    class PriceRequested(Message):
        """The mean price of these requests is wanted."""

        def __init__(self, requests: Sequence[GenerateRequest]) -> None:
            super().__init__()
            self.requests = requests

    class CharactersRequested(Message):
        """The list of characters is wanted."""

    class PromptHistoryRequested(Message):
        """Earlier prompts are wanted."""

    class NotificationRequested(Message):
        """Something about the form is to be said."""

        def __init__(self, text: SafeText) -> None:
            super().__init__()
            self.text = text

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str],
        glyphs: Glyphs,
        monotonic: Callable[[], float],
        pane_number: int = 0,
    ) -> None:
        """Build the frame; `pane_number` is the key that goes to it."""
        super().__init__(id="form")
        self._environ = environ
        self._glyphs = glyphs
        self._monotonic = monotonic
        self._draft_store = DraftStore(data_dir)
        self._preset_store = PresetStore(data_dir)
        self._form: RequestForm | None = None
        self._mount_task: asyncio.Task[RequestForm] | None = None
        self._characters: tuple[Sequence[Character], Callable[[str], str]] | None = None
        self._last_sent: tuple[Sequence[GenerateRequest], float] | None = None
        self._pending_requests: list[Sequence[GenerateRequest]] = []
        self._save_scheduled = False
        self.border_title = Content(f"{pane_number} Request" if pane_number else "Request")

    async def mount_form(self) -> RequestForm:
        """Build the form, once, with the kept draft and presets; return it."""
        if self._mount_task is None:
            self._mount_task = asyncio.create_task(self._mount_form())
        return await asyncio.shield(self._mount_task)

    async def _mount_form(self) -> RequestForm:
        from eternal_tui.tui.request_form.form import RequestForm

        form = RequestForm(environ=self._environ, glyphs=self._glyphs)
        await self.mount(form)
        self._form = form
        if (draft := self._draft_store.load()) is not None:
            form.load(draft)
        # Behind the draft: one that was left empty is no reason to hide the default preset.
        form.set_presets(self._preset_store.load())
        if self._characters is not None:
            form.set_characters(*self._characters)
        for notice in (*self._draft_store.notices, *self._preset_store.notices):
            self.post_message(self.NotificationRequested(format_safe("{notice}", notice=notice)))
        return form

    async def focus_first(self) -> None:
        """Put the cursor into the first field."""
        (await self.mount_form()).focus_first()

    async def load_request(self, request: GenerateRequest) -> None:
        """Put a request into the form."""
        (await self.mount_form()).load_request(request)

    async def submit(self) -> bool:
        """Ask the form to be sent; False when it says what is missing instead."""
        return (await self.mount_form()).submit()

    def finish_submit(self, requests: Sequence[GenerateRequest]) -> None:
        """Note that there is an answer to what was sent, or that it was not sent; the form keeps its text."""
        self._pending_requests.remove(requests)
        if self._last_sent is not None and self._last_sent[0] == requests:
            # A thumb that went on pressing while it waited has not seen the answer yet.
            self._last_sent = (requests, self._monotonic())

    def set_waiting_text(self, text: SafeText) -> None:
        """Say what is waited for before the request is sent; "" ends it."""
        if self._form is not None:
            self._form.set_waiting_text(text)

    def refresh_price(self) -> None:
        """Ask for the price of the form's request: what is known of prices has changed."""
        if self._form is not None:
            self.post_message(self.PriceRequested(self._form.requests))

    def set_estimate(self, price: float | None) -> None:
        """Show about what one such request costs."""
        if self._form is not None:
            self._form.set_estimate(price)

    def set_characters(self, characters: Sequence[Character], rejection_reason: Callable[[str], str]) -> None:
        """Give the form the list of characters, now or when it is built."""
        self._characters = (characters, rejection_reason)
        if self._form is not None:
            self._form.set_characters(characters, rejection_reason)

    def show_history(self, prompts: Sequence[str]) -> None:
        """Open the search over earlier prompts."""
        if self._form is not None:
            self._form.show_history(prompts)

    @property
    def form(self) -> RequestForm | None:
        """The form, once it is built."""
        return self._form

    def save_draft(self) -> None:
        """Write the draft."""
        self._save_scheduled = False
        try:
            self._draft_store.flush()
        except OSError as error:
            self.post_message(
                self.NotificationRequested(
                    format_safe("The draft could not be kept: {why}.", why=error.strerror or error)
                )
            )

    def on_unmount(self) -> None:
        """Keep what was typed last."""
        self.save_draft()

    # Handlers by name: the form, and the large text area in it, are imported when it is built.

    def on_request_form_submit_requested(self, event: RequestForm.SubmitRequested) -> None:
        """Send what the form holds, unless it was sent a moment ago or is on its way."""
        event.stop()
        if event.requests in self._pending_requests:
            self.post_message(self.NotificationRequested(SafeText("Still being sent: this press sent nothing more.")))
            return
        now = self._monotonic()
        if self._last_sent is not None:
            requests, at = self._last_sent
            if requests == event.requests and now - at < REPEAT_GUARD_SECONDS:
                self.post_message(
                    self.NotificationRequested(SafeText("Sent just now. Press again to send the same once more."))
                )
                return
        self._last_sent = (event.requests, now)
        self._pending_requests.append(event.requests)
        self.post_message(self.SubmitRequested(event.requests, event.character_names))

    def on_request_form_requests_changed(self, event: RequestForm.RequestsChanged) -> None:
        """Ask for the price of what the form holds now."""
        event.stop()
        self.post_message(self.PriceRequested(event.requests))

    def on_request_form_draft_changed(self, event: RequestForm.DraftChanged) -> None:
        """Keep the draft soon."""
        event.stop()
        self._save_draft_soon(event.draft)

    def _save_draft_soon(self, draft: Draft) -> None:
        self._draft_store.set_pending(draft)
        if not self._save_scheduled:
            self._save_scheduled = True
            self.set_timer(1.0, self.save_draft)

    def on_request_form_presets_changed(self, event: RequestForm.PresetsChanged) -> None:
        """Keep the presets."""
        event.stop()
        try:
            self._preset_store.save(event.presets)
        except OSError as error:
            self.post_message(
                self.NotificationRequested(
                    format_safe("The presets could not be kept: {why}.", why=error.strerror or error)
                )
            )

    def on_request_form_characters_requested(self, event: RequestForm.CharactersRequested) -> None:
        """Ask for the characters."""
        event.stop()
        self.post_message(self.CharactersRequested())

    def on_request_form_prompt_history_requested(self, event: RequestForm.PromptHistoryRequested) -> None:
        """Ask for earlier prompts."""
        event.stop()
        self.post_message(self.PromptHistoryRequested())

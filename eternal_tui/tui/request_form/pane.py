"""RequestFormPane: the form in its frame, and the files in the data folder that belong to it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.message import Message

from eternal_tui.api.models import Character, GenerateRequest
from eternal_tui.core.files import JsonStore
from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.drafts.draft import DEMO_DRAFT, Draft
from eternal_tui.drafts.stores import DraftStore, PresetStore, SnippetStore
from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.request_form.messages import (
    DraftChanged,
    DraftReplaced,
    PresetsChanged,
    RequestsChanged,
    SubmitRequested,
)

if TYPE_CHECKING:
    from eternal_tui.tui.request_form.form import RequestForm

REPEAT_GUARD_SECONDS = 1.0
"""Seconds in which the same requests are not sent twice: a key held down repeats thirty times a second."""


class RequestFormPane(Container):
    """Mounts the form after the first frame and saves its draft, presets and snippets.

    A draft is written at most once a second, and once more when the pane is removed.
    """

    DEFAULT_CSS = """
    RequestFormPane {
        border: round $border-blurred; border-title-color: $text-muted; background: $background; padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
    }
    """

    @dataclass
    class NotificationRequested(Message):
        """A sentence about the form is to be shown."""

        text: SafeText

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str],
        monotonic: Callable[[], float],
        faces: FaceSource = NO_FACES,
    ) -> None:
        super().__init__(id="form")
        self._environ = environ
        self._faces = faces
        self._monotonic = monotonic
        self._draft_store = DraftStore(data_dir)
        self._replaced_draft_store = JsonStore(data_dir / "draft_replaced.json", Draft, "The replaced draft")
        self._preset_store = PresetStore(data_dir)
        self._snippet_store = SnippetStore(data_dir)
        self.form: RequestForm | None = None
        """None until it is mounted."""
        self._mount_task: asyncio.Task[RequestForm] | None = None
        self._characters: tuple[Sequence[Character], Callable[[str], str]] | None = None
        self._last_sent: tuple[Sequence[GenerateRequest], float] = ((), -math.inf)
        self._pending_requests: list[Sequence[GenerateRequest]] = []
        self._save_scheduled = False
        self.border_title = Content("1 Request")

    async def mount_form(self) -> RequestForm:
        """Mount the form, once, with the saved draft and presets; return it."""
        if self._mount_task is None:
            self._mount_task = asyncio.create_task(self._mount_form())
        return await asyncio.shield(self._mount_task)

    async def _mount_form(self) -> RequestForm:
        from eternal_tui.tui.request_form.form import RequestForm

        form = RequestForm(environ=self._environ, faces=self._faces)
        await self.mount(form)
        self.form = form
        form.set_snippets(self._snippet_store.load())
        if (draft := self._draft_store.load()) is not None:
            form.load(draft, "example" if draft == DEMO_DRAFT else "restored draft", is_replaceable=True)
        form.set_replaced_draft(self._replaced_draft_store.load())
        # After the draft: an empty one does not hide the default preset.
        form.set_presets(self._preset_store.load())
        if self._characters is not None:
            form.set_characters(*self._characters)
        stores = (self._draft_store, self._replaced_draft_store, self._preset_store, self._snippet_store)
        for notice in (notice for store in stores for notice in store.notices):
            self.post_message(self.NotificationRequested(format_safe("{notice}", notice=notice)))
        return form

    async def submit(self) -> bool:
        """Submit the form; False when it shows what is missing instead."""
        return (await self.mount_form()).submit()

    def mark_sent(self, requests: Sequence[GenerateRequest]) -> None:
        """Let typing replace the prompt of requests that the form submitted and that are about to be sent."""
        if requests in self._pending_requests and self.form is not None:
            self.form.mark_sent(requests)

    def finish_submit(self, requests: Sequence[GenerateRequest]) -> None:
        """Note that the requests were answered, or not sent."""
        self._pending_requests.remove(requests)
        if self._last_sent[0] == requests:
            # The user may have pressed again before the response was shown.
            self._last_sent = (requests, self._monotonic())

    def refresh_price(self) -> None:
        """Ask for the price of the form's requests again."""
        if self.form is not None:
            self.post_message(RequestsChanged(self.form.requests))

    def set_characters(self, characters: Sequence[Character], rejection_reason: Callable[[str], str]) -> None:
        """Set the form's list of characters, now or when it is mounted."""
        self._characters = (characters, rejection_reason)
        if self.form is not None:
            self.form.set_characters(characters, rejection_reason)

    def save_draft(self) -> None:
        self._save_scheduled = False
        self._save("draft", self._draft_store.flush)

    def _save(self, what: str, save: Callable[..., object], *values: object) -> None:
        try:
            save(*values)
        except OSError as error:
            text = format_safe("Could not save the {what}: {why}.", what=what, why=error.strerror or error)
            self.post_message(self.NotificationRequested(text))

    def on_unmount(self) -> None:
        self.save_draft()

    @on(SubmitRequested)
    def _submit_requested(self, event: SubmitRequested) -> None:
        """Let the message pass to the screen unless the same requests were just sent or are being sent."""
        now = self._monotonic()
        sent, sent_at = self._last_sent
        if event.requests in self._pending_requests:
            reason = SafeText("Still being sent. Nothing more was sent.")
        elif event.requests == sent and now - sent_at < REPEAT_GUARD_SECONDS:
            reason = SafeText("Already sent. Press again to send a duplicate.")
        else:
            self._last_sent = (event.requests, now)
            self._pending_requests.append(event.requests)
            return
        event.stop()
        self.post_message(self.NotificationRequested(reason))

    @on(DraftChanged)
    def _draft_changed(self, event: DraftChanged) -> None:
        self._draft_store.set_pending(event.draft)
        if not self._save_scheduled:
            self._save_scheduled = True
            self.set_timer(1.0, self.save_draft)

    @on(DraftReplaced)
    def _draft_replaced(self, event: DraftReplaced) -> None:
        self._save("replaced draft", self._replaced_draft_store.save, event.draft)

    @on(PresetsChanged)
    def _presets_changed(self, event: PresetsChanged) -> None:
        if event.presets is not None:
            self._save("presets", self._preset_store.save, event.presets)
        if event.snippets is not None:
            self._save("snippets", self._snippet_store.save, event.snippets)

"""FormRequests: submission, characters and a missing API key, which the main screen handles for the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState
from eternal_tui.tui.request_form.messages import SubmitRequested

if TYPE_CHECKING:
    from eternal_tui.characters.resolver import CharacterCheck
    from eternal_tui.tui.screens.main import MainScreen


class FormRequests:
    """Serves the form of the main screen, and asks for a key once however many jobs were rejected for it."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._catalog = screen.services.characters
        self._character_check: CharacterCheck | None = None

    # Submission

    async def submit(self, event: SubmitRequested) -> None:
        screen = self._screen
        try:
            sent = await screen.commands.submit(event.requests, event.character_names, event.templates)
        finally:
            screen.form_pane.finish_submit(event.requests)
        (await screen.form_pane.mount_form()).confirm_sent(sent=sent)
        if sent:
            self._confirm_sent(len(event.requests))
            if not all(event.character_names):
                await self.load_characters(is_quiet=True)
        else:
            await self.ask_key_if_missing()

    def _confirm_sent(self, count: int) -> None:
        screen = self._screen
        covered = screen.form_pane.region.width == screen.size.width
        sent = screen.services.jobs.store.newest_first()[:count]
        if covered and all(job.state in (*POLLED_STATES, JobState.SUCCEEDED) for job in sent):
            what = format_safe("{n} requests", n=count) if count > 1 else SafeText("the request")
            screen.notify_user(format_safe("Sent {what}. esc: list.", what=what))

    async def check_characters(self, requests: Sequence[GenerateRequest]) -> bool:
        """Look up the age of characters where it is not known yet; False where nothing may be sent."""
        screen = self._screen
        if not await screen.services.client.has_key():
            return True
        if self._character_check is None:
            from eternal_tui.characters.resolver import CharacterCheck

            self._character_check = CharacterCheck(
                self._catalog, show_progress=self._show_check_progress, notify_user=screen.notify_user
            )
        allowed = await self._character_check.run(request.character for request in requests)
        if allowed:
            # Before the POST: a prompt typed meanwhile is the next one, not the end of this one.
            screen.form_pane.mark_sent(requests)
        return allowed

    def cancel_check(self) -> bool:
        """Cancel a running check; return whether there was one."""
        return self._character_check is not None and self._character_check.cancel()

    def _show_check_progress(self, text: SafeText) -> None:
        pane = self._screen.form_pane
        if pane.form is not None:
            pane.form.set_waiting_text(text)
        if text and not pane.region:
            # Sent from the list, with the form out of sight.
            self._screen.notify_user(format_safe("Before it is sent: {words}. esc stops.", words=text))

    # API key

    def job_submitted(self, job: Job) -> None:
        """Ask for a key where the job was rejected, or queued again, for its key."""
        if job.cause == "key":
            self._screen.run_worker(self._ask_key(is_rejected=True))

    async def ask_key_if_missing(self) -> None:
        """Ask where no key is found; the demo needs none."""
        services = self._screen.services
        if services.demo is None and not await services.client.has_key():
            await self._ask_key()

    async def _ask_key(self, *, is_rejected: bool = False) -> None:
        from eternal_tui.tui.screens.api_key import KEY_REJECTED_MESSAGE, WELCOME_MESSAGE, ApiKeyScreen

        app, reason = self._screen.app, KEY_REJECTED_MESSAGE if is_rejected else WELCOME_MESSAGE
        if any(isinstance(screen, ApiKeyScreen) for screen in app.screen_stack):
            return
        if message := await app.push_screen_wait(ApiKeyScreen(self._screen.services, reason)):
            self._screen.notify_user(message)

    # Characters

    async def load_characters(self, *, force_refresh: bool = False, is_quiet: bool = False) -> None:
        """Give the form the stored characters at once and fresh ones when they come, and jobs sent before their names.

        Where the list cannot be loaded, the user is notified unless `is_quiet`, and jobs keep their numbers.
        """
        from eternal_tui.api.errors import ApiError

        self._catalog.load_stored()
        self._update_form()
        try:
            await self._catalog.load(force_refresh=force_refresh)
            self._update_form()
        except ApiError as error:
            if not is_quiet:
                self._screen.notify_user(sanitize(str(error)), "warning")
        self._screen.services.jobs.fill_in_character_names(self._catalog.name_of)

    def browse_characters(self) -> None:
        """Open the character browser; the chosen one goes into the form."""
        from eternal_tui.tui.screens.characters import CharactersScreen

        screen = self._screen
        if not any(isinstance(each, CharactersScreen) for each in screen.app.screen_stack):
            screen.app.push_screen(CharactersScreen(screen.services, screen.terminal), self._character_chosen)

    async def _character_chosen(self, character_id: str | None) -> None:
        self._update_form()
        if character_id is None:
            return
        await self.use_character(character_id)
        if self._catalog.by_id(character_id) is None:
            # It was just created; the form shows its ID until the list names it.
            loading = self.load_characters(force_refresh=True, is_quiet=True)
            self._screen.run_worker(loading, group="characters", exclusive=True)

    async def use_character(self, character_id: str) -> None:
        """Put a character into the form, and go there."""
        from eternal_tui.characters.resolver import format_label

        character = self._catalog.by_id(character_id)
        form = await self._screen.form_pane.mount_form()
        named = format_label(character) if character is not None else character_id
        form.load(msgspec.structs.replace(form.draft, character=named))
        await self._screen.open_form()

    def _update_form(self) -> None:
        self._screen.form_pane.set_characters(self._catalog.allowed, self._catalog.rejection_reason)

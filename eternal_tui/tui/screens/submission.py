"""Submission of the form's requests: the check of characters, and the prompt for a missing or rejected API key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState
from eternal_tui.tui.request_form.messages import SubmitRequested

if TYPE_CHECKING:
    from eternal_tui.characters.resolver import CharacterCheck
    from eternal_tui.tui.screens.main import MainScreen


class Submission:
    """Submits requests over the main screen, and asks for a key once however many jobs were rejected for it."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._character_check: CharacterCheck | None = None

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
                await screen.characters.fill_in_names()
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
        services = self._screen.services
        if not await services.client.has_key():
            return True
        if self._character_check is None:
            from eternal_tui.characters.resolver import CharacterCheck

            self._character_check = CharacterCheck(
                services.characters, show_progress=self._show_check_progress, notify_user=self._screen.notify_user
            )
        allowed = await self._character_check.run(request.character for request in requests)
        if allowed:
            # Before the POST: a prompt typed meanwhile is the next one, not the end of this one.
            self._screen.form_pane.mark_sent(requests)
        return allowed

    def cancel_check(self) -> bool:
        """Cancel a running check; tell whether there was one."""
        return self._character_check is not None and self._character_check.cancel()

    def _show_check_progress(self, text: SafeText) -> None:
        pane = self._screen.form_pane
        if pane.form is not None:
            pane.form.set_waiting_text(text)
        if text and not pane.region:
            # Sent from the list, with the form out of sight.
            self._screen.notify_user(format_safe("Before it is sent: {words}. esc stops.", words=text))

    def job_submitted(self, job: Job) -> None:
        """Ask for a key where the job was rejected, or queued again, for its key."""
        if job.cause == "key":
            from eternal_tui.tui.screens.api_key import KEY_REJECTED_MESSAGE

            self._screen.run_worker(self._ask_key(KEY_REJECTED_MESSAGE))

    async def ask_key_if_missing(self) -> None:
        """Ask where no key is found; the demo needs none."""
        services = self._screen.services
        if services.demo is None and not await services.client.has_key():
            from eternal_tui.tui.screens.api_key import WELCOME_MESSAGE

            await self._ask_key(WELCOME_MESSAGE)

    async def _ask_key(self, reason: SafeText) -> None:
        from eternal_tui.tui.screens.api_key import ApiKeyScreen

        app = self._screen.app
        if any(isinstance(screen, ApiKeyScreen) for screen in app.screen_stack):
            return
        if message := await app.push_screen_wait(ApiKeyScreen(self._screen.services, reason)):
            self._screen.notify_user(message)

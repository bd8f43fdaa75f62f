"""When the screen for an API key opens by itself: none is there, or the API rejected it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eternal_tui.core.sanitize import SafeText
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.tui.screens.main import MainScreen


class KeyPrompt:
    """Asks for a key over the main screen, once however many jobs were rejected for it."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    def job_submitted(self, job: Job) -> None:
        """Ask where the job was rejected, or queued again, for its key."""
        if job.cause == "key":
            from eternal_tui.tui.screens.api_key import KEY_REJECTED_MESSAGE

            self._screen.run_worker(self._ask(KEY_REJECTED_MESSAGE))

    async def ask_if_missing(self) -> None:
        """Ask where no key is found; the demo needs none."""
        services = self._screen.services
        if services.demo is None and not await services.client.has_key():
            from eternal_tui.tui.screens.api_key import WELCOME_MESSAGE

            await self._ask(WELCOME_MESSAGE)

    async def _ask(self, reason: SafeText) -> None:
        from eternal_tui.tui.screens.api_key import ApiKeyScreen

        app = self._screen.app
        if any(isinstance(screen, ApiKeyScreen) for screen in app.screen_stack):
            return
        if message := await app.push_screen_wait(ApiKeyScreen(self._screen.services, reason)):
            self._screen.notify_user(message)

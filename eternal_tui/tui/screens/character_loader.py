"""The list of characters in the app: loading it for the form, browsing it, and naming jobs by it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.sanitize import sanitize

if TYPE_CHECKING:
    from eternal_tui.tui.screens.main import MainScreen


class CharacterLoader:
    """Gives the main screen's form the characters of the catalog, and jobs their names."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._catalog = screen.services.characters

    async def load(self) -> None:
        """Show the stored characters at once, fresh ones when they come."""
        from eternal_tui.api.errors import ApiError

        if self._catalog.fetched_at is None:
            self._catalog.load_stored()
            self._update_form()
        try:
            await self._catalog.load()
            self._update_form()
        except ApiError as error:
            self._screen.notify_user(sanitize(str(error)), "warning")
        self._screen.services.jobs.fill_in_character_names(self._catalog.name_of)

    async def fill_in_names(self, *, force_refresh: bool = False) -> None:
        """Name jobs sent before the list was loaded; where it cannot be, they keep their numbers."""
        from eternal_tui.api.errors import ApiError

        with contextlib.suppress(ApiError):
            await self._catalog.load(force_refresh=force_refresh)
            self._update_form()
        self._screen.services.jobs.fill_in_character_names(self._catalog.name_of)

    def browse(self) -> None:
        """Open the character browser; the chosen one goes into the form."""
        from eternal_tui.tui.screens.characters import CharactersScreen

        screen = self._screen
        if not any(isinstance(each, CharactersScreen) for each in screen.app.screen_stack):
            screen.app.push_screen(CharactersScreen(screen.services, screen.terminal), self._chosen)

    async def _chosen(self, character_id: str | None) -> None:
        self._update_form()
        if character_id is None:
            return
        await self.use(character_id)
        if self._catalog.by_id(character_id) is None:
            # It was just created; the form shows its ID until the list names it.
            self._screen.run_worker(self.fill_in_names(force_refresh=True), group="characters", exclusive=True)

    async def use(self, character_id: str) -> None:
        """Put a character into the form, and go there."""
        from eternal_tui.characters.resolver import format_label

        character = self._catalog.by_id(character_id)
        form = await self._screen.form_pane.mount_form()
        named = format_label(character) if character is not None else character_id
        form.load(msgspec.structs.replace(form.draft, character=named))
        await self._screen.open_form()

    def _update_form(self) -> None:
        self._screen.form_pane.set_characters(self._catalog.allowed, self._catalog.rejection_reason)

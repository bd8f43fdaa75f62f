"""HelpMixin: shows the keys that work where the focus is."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.screen import Screen

from eternal_tui.tui.widgets.footer import KeyHint


class HelpMixin:
    """Mixed into a screen whose keys are in the registry: shows those that work where the focus is."""

    HELP_HINT: ClassVar[KeyHint] = KeyHint("?", "help", "screen.help")

    def action_help(self) -> None:
        """Show the keys of what has focus."""
        # The help screen brings the search dialog and its input, which no start needs.
        from eternal_tui.tui.screens.help import HelpScreen

        assert isinstance(self, Screen)
        screen: Screen[Any] = self
        screen.app.push_screen(HelpScreen.for_screen(screen))

"""What a screen needs so that f1 shows its keys."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.screen import Screen

from eternal_tui.tui.widgets.footer import Hint


class KeyHelp:
    """Mixed into a screen whose keys are in the registry: shows those that work where the focus is."""

    HELP_HINT: ClassVar[Hint] = Hint("?", "help", "screen.help")

    def action_help(self) -> None:
        """Show the keys of what has focus."""
        from eternal_tui.tui.screens.help import HelpScreen

        assert isinstance(self, Screen)
        screen: Screen[Any] = self
        screen.app.push_screen(HelpScreen.of(screen))

"""Prompts sent before, newest first, to be searched and used again."""

from __future__ import annotations

from collections.abc import Sequence

from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchScreen


class PromptHistory(SearchScreen[str]):
    """Leaves with a prompt, whole and as it was sent."""

    TITLE_WORD = "Prompts"
    PLACEHOLDER = "words of the prompt"
    KEYS_WORD = "enter use this prompt · esc back"
    COLUMNS = (Column(0),)

    def __init__(self, prompts: Sequence[str]) -> None:
        super().__init__()
        self._prompts = tuple(dict.fromkeys(each for each in prompts if each.strip()))

    def keys(self) -> list[str]:
        """Search the prompts themselves."""
        return list(self._prompts)

    def describe(self, row: int) -> Sequence[str]:
        """Show a prompt on one line."""
        return (self._prompts[row],)

    def result(self, row: int) -> str:
        """Leave with the prompt."""
        return self._prompts[row]

    def empty_words(self) -> str:
        """Say where prompts come from."""
        return "every prompt you send will be here"

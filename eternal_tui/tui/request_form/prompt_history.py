"""PromptHistory: earlier prompts, newest first, with search."""

from __future__ import annotations

from collections.abc import Sequence

from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class PromptHistory(SearchDialog[str]):
    """Leaves with a prompt as it was sent."""

    HEADING = "Prompts"
    PLACEHOLDER = "words of the prompt"
    KEYS_HINT = "enter: use this prompt · esc: back"
    COLUMNS = (Column(0),)

    def __init__(self, prompts: Sequence[str]) -> None:
        super().__init__()
        self._prompts = tuple(dict.fromkeys(each for each in prompts if each.strip()))

    def search_texts(self) -> list[str]:
        return list(self._prompts)

    def row_cells(self, row: int) -> Sequence[str]:
        return (self._prompts[row],)

    def result_of(self, row: int) -> str:
        return self._prompts[row]

    def empty_text(self) -> str:
        return "no prompts sent yet"

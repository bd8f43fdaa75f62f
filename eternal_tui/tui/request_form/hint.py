"""The line under a field: quiet facts, or the sentence that says what is wrong with it."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from eternal_tui.core.sanitize import shown


class Hint(Static):
    """One quiet line, or a problem of up to four. `keep_row` holds the row while there is nothing to say."""

    DEFAULT_CSS = """
    Hint { height: auto; max-height: 4; width: 1fr; color: $text-muted; display: none; }
    Hint.-keep-row { display: block; min-height: 1; }
    Hint.-problem { display: block; color: $text-error; }
    """

    def __init__(self, *, keep_row: bool = False, id: str) -> None:  # noqa: A002
        super().__init__("", id=id, markup=False)
        self.set_class(keep_row, "-keep-row")
        self._said: tuple[str, str] = ("", "")

    def say(self, fact: str, problem: str = "") -> None:
        """Show the problem, or the fact where there is none."""
        if (fact, problem) == self._said:
            return
        self._said = (fact, problem)
        self.set_class(bool(problem), "-problem")
        self.styles.text_wrap = "wrap" if problem else "nowrap"
        self.styles.text_overflow = "ellipsis"
        self.update(Content(f"! {shown(problem)}" if problem else shown(fact)))

"""The interface between the job list and another view of the listed jobs, such as the gallery."""

from __future__ import annotations

import textwrap
from typing import Protocol

from textual.message import Message
from textual.scroll_view import ScrollView

from eternal_tui.core.sanitize import SafeText
from eternal_tui.jobs.model import Job
from eternal_tui.tui.terminal.glyphs import Glyphs
from eternal_tui.tui.widgets.cells import Line, Span, fit


class JobListing(Protocol):
    """The jobs listed in rows, the row of the cursor, and the marks."""

    @property
    def count(self) -> int: ...

    @property
    def row(self) -> int: ...

    @property
    def marked_ids(self) -> frozenset[int]: ...

    @property
    def empty_text(self) -> SafeText: ...

    @property
    def can_clear(self) -> bool: ...

    @property
    def is_searching(self) -> bool: ...

    def job_at(self, row: int) -> Job: ...

    def go_to_row(self, row: int) -> None: ...

    def perform_action(self, action: str) -> None: ...

    def action_match(self, step: int) -> None: ...


def empty_lines(text: SafeText, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Return the lines of a view without jobs, a blank one first."""
    lines = ["", *textwrap.wrap(glyphs.to_drawable(text), max(8, width - 4))]
    return tuple((Span(0, width, fit(f"  {line}", width, ellipsis=glyphs.ellipsis), "dim"),) for line in lines)


class JobView(ScrollView, can_focus=True):
    """Shows the jobs of a listing its own way and passes its keys on to it."""

    class FocusChanged(Message):
        """The view got the focus or lost it."""

    def redraw(self) -> None:
        """Draw what has changed in the listing."""
        raise NotImplementedError

    def visible_ids(self) -> list[int]:
        """Return the ids of the jobs in view."""
        raise NotImplementedError

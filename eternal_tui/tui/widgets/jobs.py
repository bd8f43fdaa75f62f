"""Labels and signs of a job, and the interface between the job list and other views of the listed jobs."""

from __future__ import annotations

import textwrap
from typing import ClassVar, Protocol

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.core.sanitize import SafeText
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.widgets.cells import Line

LIVE_STATES = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})

_STATE_ROLES = {
    "queued": "live", "submitting": "live", "running": "live", "fetching": "live", "saved": "ok", "created": "ok",
    "failed": "bad", "rejected": "bad", "unsent": "bad", "broken": "bad",
}  # fmt: skip
STATE_GLYPHS = {
    "queued": "↑", "submitting": "↑", "unconfirmed": "?", "running": "◐", "stalled": "◔", "lost": "?",
    "fetching": "↓", "saved": "✓", "created": "✓", "expired": "!", "broken": "!", "missing": "!",
    "failed": "✗", "rejected": "✗", "unsent": "✗",
}  # fmt: skip
_SHORT_LABELS = {"submitting": "sending", "unconfirmed": "charged?"}


def state_labels(job: Job) -> tuple[str, str, str]:
    """Return the word for the job's state, one of at most eight cells, and its role."""
    label = state_label(job)
    return label, _SHORT_LABELS.get(label, label), _STATE_ROLES.get(label, "warn")


def state_glyph(job: Job) -> str:
    """Return the sign of the job's state, one cell wide."""
    if job.state in LIVE_STATES and not job.watched:
        return "○"
    return STATE_GLYPHS[state_label(job)]


def run_seconds(job: Job) -> float | None:
    """Return the whole seconds a job took, None where that is not known."""
    if job.submitted_at is None and job.observed_seconds is None:
        return (job.finished_at - job.created_at) // 1 if job.finished_at is not None else None
    return None if job.run_seconds is None else job.run_seconds // 1


class JobListing(Protocol):
    """The jobs listed in rows, the row of the cursor, and the marks.

    `is_externally_driven` says that a view passes keys on to it.
    """

    marked_ids: set[int]
    is_externally_driven: bool

    @property
    def count(self) -> int: ...

    @property
    def row(self) -> int: ...

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


def empty_lines(text: SafeText, width: int) -> list[str]:
    """Return the lines of a view without jobs, a blank one first."""
    return ["", *(f"  {line}" for line in textwrap.wrap(text, max(8, width - 4)))]


_ROLES = ("text", "dim", "name", "live", "ok", "warn", "bad", "bar", "track", "mark", "cursor", "selected")


MAX_STRIPS = 512
"""Strips remembered: several screens of them."""


class JobView(ScrollView, can_focus=True):
    """Base of the views of listed jobs, with a style for each role of a span."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"job--{role}" for role in _ROLES}
    DEFAULT_CSS = """
    JobView {
        background: transparent; color: $foreground; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .job--text, & > .job--name { color: $foreground; }
        & > .job--dim { color: $text-muted; }
        & > .job--live, & > .job--bar { color: $accent; }
        & > .job--ok { color: $success; }
        & > .job--warn { color: $warning; }
        & > .job--bad { color: $error; }
        & > .job--track { color: $text-disabled; }
        & > .job--mark { color: $accent; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._styles: dict[tuple[str, ...], Style] = {}
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(MAX_STRIPS)

    def redraw(self) -> None:
        """Draw the changes of the listing."""
        raise NotImplementedError

    def visible_ids(self) -> list[int]:
        """Return the ids of the jobs in view."""
        raise NotImplementedError

    def role_style(self, *roles: str) -> Style:
        """Return the widget's style with those of the roles over it; "" is no role."""
        style = self._styles.get(roles)
        if style is None:
            style = self.rich_style
            for role in filter(None, roles):
                style += self.get_component_rich_style(f"job--{role}", partial=True)
            self._styles[roles] = style
        return style

    def line_strip(self, line: Line, width: int, ground: str = "") -> Strip:
        """Return a line as a strip; the style of the role `ground` is under those of its parts."""
        key = (line, width, ground)
        strip = self._strips.get(key)
        if strip is None:
            segments: list[Segment] = []
            text, style = "", self.role_style("", ground)
            for part in line:
                # Blanks are equal in every style of the line: joined to the part before they need no colour codes.
                wanted = self.role_style(part.role, ground) if part.text.strip() else style
                if wanted is not style and text:
                    segments.append(Segment(text, style))
                    text = ""
                text, style = text + part.text, wanted
            segments.append(Segment(text, style))
            strip = self._strips[key] = Strip(segments).adjust_cell_length(width, self.role_style("", ground))
        return strip

    def clear_styles(self) -> None:
        """Draw with the styles of now, of another theme or focus."""
        self._styles.clear()
        self._strips.clear()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.clear_styles()

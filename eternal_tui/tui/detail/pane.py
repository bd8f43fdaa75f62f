"""The detail pane: the picture or poster of a job over every fact of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from eternal_tui.core.sanitize import Shown, say
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job
from eternal_tui.media.decode.images import FrameCache
from eternal_tui.tui.detail.text import describe
from eternal_tui.tui.graphics.base import Graphics
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.picture.picture import Picture

NOTHING = Shown("Nothing to show yet.\n\nctrl+n  write a request\nctrl+s  send it\n\nIts picture or clip appears here.")

DETAIL = Shown("Detail")
"""The pane's title where it shows no job."""

TALL = 24
"""Rows from which the picture stands over the words; in a lower pane it stands beside them."""

WIDE = 80
"""Columns from which there is room for the picture beside the words, however high the pane is."""

PORTRAIT = 1.5
"""Columns a row of a 3:4 portrait takes: a cell is about half as wide as it is high."""


class Words(VerticalScroll):
    """The words of the detail, moved through by the keys of the list."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("detail")]


class DetailPane(Container):
    """Draws one job. It is given snapshots and asks for nothing."""

    DEFAULT_CSS = """
    DetailPane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        layout: vertical;
        padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
        & > Picture { height: 3fr; width: 1fr; }
        & > VerticalScroll {
            height: 2fr; width: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        }
        & Static { width: 1fr; height: auto; }
        &.-beside { layout: horizontal; }
        &.-beside > Picture { width: 24; height: 1fr; }
        &.-beside > VerticalScroll { height: 1fr; margin: 0 0 0 2; }
        &.-words > Picture { display: none; }
        &.-words > VerticalScroll { height: 1fr; margin: 0; }
    }
    """

    def __init__(
        self,
        graphics: Graphics,
        results: Path,
        *,
        pace: Pace | None = None,
        frames: FrameCache | None = None,
        number: int = 0,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        """Build the pane; `number` is the key that goes to it, shown in its title."""
        # Without a job there is no picture, and styling the pane twice would delay the first frame.
        super().__init__(id=id, classes="-words")
        self._graphics = graphics
        self._results = results
        self._prefix = f"{number} " if number else ""
        self._job: Job | None = None
        self._answers: Mapping[str, Any] = {}
        self.picture = Picture(graphics, pace=pace, cache=frames)
        self._words = Static(markup=False)
        self._scroll = Words(self._words)
        self._drawn: tuple[Job | None, int, int] | None = None
        self._said: tuple[Content, int] | None = None
        self._title = Shown("")

    async def fill(self) -> None:
        """Put the picture and the words into the frame, behind the first frame of the screen: they are empty in it."""
        await self.mount_all([self.picture, self._scroll])

    @property
    def job_id(self) -> int | None:
        """The job that is shown."""
        return self._job.id if self._job is not None else None

    def on_mount(self) -> None:
        """Name the pane."""
        self._retitle(DETAIL)

    def on_resize(self, event: events.Resize) -> None:
        """Choose between picture over words and picture beside words."""
        beside = event.size.height < TALL or event.size.width >= WIDE
        self.set_class(beside, "-beside")
        portrait = min(round(event.size.height * PORTRAIT), event.size.width // 2)
        self.picture.styles.width = max(16, portrait) if beside else None
        self.call_after_refresh(self._redraw)

    def show(self, job: Job | None, answers: Mapping[str, Any] | None = None) -> None:
        """Show this snapshot; `answers` are the service's own, None when they have not been read yet."""
        if answers is not None:
            self._answers = answers
        elif job is None or self._job is None or job.id != self._job.id:
            self._answers = {}
        moved = job is None or self._job is None or job.id != self._job.id
        self._job = job
        if self._scroll.is_mounted:
            if moved:
                self._scroll.scroll_home(animate=False)
            self._redraw()

    def action_scroll(self, rows: int) -> None:
        """Scroll the words."""
        self._scroll.scroll_relative(y=rows, animate=False)

    def focus_words(self) -> None:
        """Put the focus on the scrolling words."""
        self._scroll.focus()

    def _redraw(self) -> None:
        if not self._scroll.is_attached:
            return
        width = max(20, self._scroll.scrollable_content_region.width)
        state = (self._job, width, id(self._answers))
        if state == self._drawn:
            return
        self._drawn = state
        job = self._job
        if job is None:
            self._retitle(DETAIL)
            self.add_class("-words")
            self._say(Content.styled(NOTHING, "$text-muted"))
            self._picture_of(None)
            return
        self._retitle(say("Job {id}", id=job.id))
        path = result_path(job, self._results) if any(self._graphics.cell) else None
        self.set_class(path is None, "-words")
        self._picture_of(path)
        self._say(describe(job, self._answers, width=width))

    def _retitle(self, title: Shown) -> None:
        # A title that is set, be it the same, draws the whole pane anew.
        if title != self._title:
            self._title = title
            self.border_title = Content(f"{self._prefix}{title}")

    def _say(self, words: Content) -> None:
        """Show these words; a screen is laid out anew only where they take another number of lines."""
        before, width = self._said, self._scroll.scrollable_content_region.width
        self._said = words, width
        if before is None or before[1] != width or before[0].plain.count("\n") != words.plain.count("\n"):
            self._words.update(words)
        elif not before[0].is_same(words):
            self._words.update(words, layout=False)

    def _picture_of(self, path: Path | None) -> None:
        if path != self.picture.path:
            self.picture.show(path)

"""The jobs pane: the list under its title, and the line to filter it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.dom import DOMNode

from eternal_tui.jobs.model import Job
from eternal_tui.tui.graphics.base import Graphics, NoGraphics
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.terminal.glyphs import ASCII, UNICODE, Glyphs

if TYPE_CHECKING:
    from eternal_tui.tui.gallery.gallery import Gallery
    from eternal_tui.tui.job_list.filter_bar import FilterBar


class JobPane(Vertical):
    """Carries messages between the filter line and the list, which do not know each other."""

    DEFAULT_CSS = """
    JobPane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        padding: 0;
        &:focus-within { border: round $border; border-title-color: $foreground; }
        & > JobList { height: 1fr; }
        & > Gallery { height: 1fr; display: none; }
        &.-gallery > Gallery { display: block; }
        &.-gallery > JobList { display: none; }
        &.-ascii, &.-ascii:focus-within { border: ascii $border-blurred; }
        &.-ascii > JobList { scrollbar-size-vertical: 0; }
    }
    """

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        about_left: Callable[[Job], float | None] | None = None,
        clock_step: float = 1.0,
        number: int = 0,
        graphics: Graphics | None = None,
        results: Path | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        """Build the pane; `number` is the key that goes to it, shown before the title, 0 for none.

        `graphics` draws the files in `results` when the pane is a gallery.
        """
        super().__init__(id=id)
        self.jobs = JobList(glyphs=glyphs, about_left=about_left, clock_step=clock_step)
        self._glyphs = glyphs
        self._graphics = graphics or NoGraphics()
        self._results = results or Path()
        self.set_class(glyphs is ASCII, "-ascii")
        self._number = f"{number} " if number else ""

    def compose(self) -> ComposeResult:
        """Lay out the list; the filter line and the thumbnails come when they are wanted."""
        yield self.jobs

    @cached_property
    def _bar(self) -> FilterBar:
        from eternal_tui.tui.job_list.filter_bar import FilterBar

        return FilterBar()

    def holds_filter(self, nodes: Collection[DOMNode]) -> bool:
        """Tell whether the filter line is among these."""
        return "_bar" in vars(self) and self._bar in nodes

    @cached_property
    def gallery(self) -> Gallery:
        """The thumbnails, made when they are first wanted."""
        from eternal_tui.tui.gallery.gallery import Gallery

        return Gallery(self.jobs, self._graphics, self._results, glyphs=self._glyphs)

    def on_mount(self) -> None:
        """Name the pane."""
        self._retitle()

    @property
    def in_gallery(self) -> bool:
        """Whether the pane shows thumbnails instead of lines."""
        return self.has_class("-gallery")

    def toggle_gallery(self) -> None:
        """Show thumbnails instead of lines, or lines again."""
        if not self.gallery.is_attached:
            self.mount(self.gallery)
        focused = self.jobs.has_focus or self.gallery.has_focus
        self.toggle_class("-gallery")
        self.jobs.fold_batches(not self.in_gallery)
        self.jobs.on_redrawn = self._redraw_gallery if self.in_gallery else lambda: None
        if focused:
            self.focus_jobs()

    def focus_jobs(self) -> None:
        """Put the focus on the jobs, however they are shown."""
        (self.gallery if self.in_gallery else self.jobs).focus()

    def visible_ids(self) -> list[int]:
        """Return the ids of the jobs in view."""
        return self.gallery.visible_ids() if self.in_gallery else self.jobs.visible_ids()

    def _redraw_gallery(self) -> None:
        self.gallery.redraw()

    def on_gallery_focused(self, event: Gallery.Focused) -> None:
        """Let the keys of the gallery move the cursor of the list."""
        event.stop()
        self.jobs.steered = self.gallery.has_focus

    @on(JobList.Titled)
    def _retitle(self) -> None:
        self.border_title = Content(f"{self._number}{self.jobs.title}")

    @on(JobList.FilterWanted)
    async def _open(self, event: JobList.FilterWanted) -> None:
        event.stop()
        if not self._bar.is_attached:
            # Until it is laid out its line cannot have the focus, and keys typed ahead would meet the list.
            await self.mount(self._bar, before=0)
        self._bar.open(event.text)
        self.jobs.warm()

    def on_filter_bar_filter_changed(self, event: FilterBar.FilterChanged) -> None:
        """Filter the list, and say what of the filter could not be read."""
        event.stop()
        chosen = self.jobs.set_filter(event.text)
        self._bar.say_problem(chosen.problems[0] if chosen.problems else "")

    def on_filter_bar_closed(self, event: FilterBar.Closed) -> None:
        """Go back to the jobs."""
        event.stop()
        self.focus_jobs()

    @on(JobList.FilterCleared)
    def _cleared(self, event: JobList.FilterCleared) -> None:
        event.stop()
        if self._bar.is_attached:
            self._bar.close()

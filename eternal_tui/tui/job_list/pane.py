"""The jobs pane: the list under its title, and the line to filter it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.dom import DOMNode
from textual.message import Message

from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.widgets.jobs import JobView

if TYPE_CHECKING:
    from eternal_tui.tui.job_list.filter_bar import FilterBar


class JobListPane(Vertical):
    """Carries messages between the filter line and the list, which do not know each other."""

    DEFAULT_CSS = """
    JobListPane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        padding: 0;
        &:focus-within { border: round $border; border-title-color: $foreground; }
        & > JobView { height: 1fr; }
        & > #gallery { display: none; }
        &.-gallery > #gallery { display: block; }
        &.-gallery > JobList { display: none; }
    }
    """

    class GalleryToggled(Message):
        """Thumbnails are shown instead of lines, or lines again."""

    def __init__(
        self,
        *,
        estimate_remaining: Callable[[Job], float | None] = lambda _: None,
        clock_step: float = 1.0,
        make_gallery: Callable[[JobList], JobView],
    ) -> None:
        super().__init__(id="jobs")
        self.job_list = JobList(estimate_remaining=estimate_remaining, clock_step=clock_step)
        self._make_gallery = make_gallery
        self.is_batch_open = False

    def compose(self) -> ComposeResult:
        yield self.job_list

    @cached_property
    def _filter_bar(self) -> FilterBar:
        from eternal_tui.tui.job_list.filter_bar import FilterBar

        return FilterBar()

    def contains_filter_bar(self, nodes: Collection[DOMNode]) -> bool:
        """Tell whether the filter bar is among these nodes."""
        return "_filter_bar" in vars(self) and self._filter_bar in nodes

    @cached_property
    def gallery(self) -> JobView:
        """The thumbnails, made when they are first wanted."""
        return self._make_gallery(self.job_list)

    def on_mount(self) -> None:
        self._update_title()

    @property
    def is_gallery(self) -> bool:
        """Whether the pane shows thumbnails instead of lines."""
        return self.has_class("-gallery")

    def toggle_gallery(self) -> None:
        """Show thumbnails instead of lines, or lines again."""
        if not self.gallery.is_attached:
            self.mount(self.gallery)
        self.is_batch_open = False
        self.post_message(self.GalleryToggled())
        focused = self.job_list.has_focus or self.gallery.has_focus
        self.toggle_class("-gallery")
        self.job_list.set_batch_folding(not self.is_gallery)
        self.job_list.on_redrawn = self.gallery.redraw if self.is_gallery else lambda: None
        if focused:
            self.focus_jobs()

    @on(JobList.BatchOpenRequested)
    def _open_batch(self, event: JobList.BatchOpenRequested) -> None:
        """Show the batch's jobs as thumbnails until the filter is cleared."""
        self.job_list.set_filter(f"batch:{event.batch}", "all")
        self.toggle_gallery()
        self.is_batch_open = True

    def focus_jobs(self) -> None:
        """Put the focus on the jobs, however they are shown."""
        (self.gallery if self.is_gallery else self.job_list).focus()

    def visible_ids(self) -> list[int]:
        """Return the ids of the jobs in view."""
        return self.gallery.visible_ids() if self.is_gallery else self.job_list.visible_ids()

    @on(JobList.TitleChanged)
    def _update_title(self) -> None:
        self.border_title = Content(f"2 {self.job_list.title}")
        self.border_subtitle = Content(self.job_list.position)

    @on(JobList.FilterRequested)
    async def _open_filter(self, event: JobList.FilterRequested) -> None:
        if not self._filter_bar.is_attached:
            # Its input can take the focus only once it is laid out; keys typed ahead would reach the list.
            await self.mount(self._filter_bar, before=0)
        self._filter_bar.open(event.text, find=event.find)
        self.job_list.prebuild_search()

    def on_filter_bar_filter_changed(self, event: FilterBar.FilterChanged) -> None:
        """Filter or search the list and show a parse error."""
        chosen = (self.job_list.set_search if event.find else self.job_list.set_filter)(event.text)
        self.is_batch_open = self.is_batch_open and not self.job_list.filter.is_empty
        self._filter_bar.show_error(chosen.errors[0] if chosen.errors else "")

    def on_filter_bar_closed(self) -> None:
        """Go back to the jobs."""
        self.focus_jobs()

    @on(JobList.FilterCleared)
    def _filter_cleared(self) -> None:
        if self.is_batch_open and self.job_list.filter.is_empty:
            self.toggle_gallery()
        if self._filter_bar.is_attached:
            self._filter_bar.close()

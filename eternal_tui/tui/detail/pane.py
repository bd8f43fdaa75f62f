"""The detail pane: the result of a job, and its facts below or beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job
from eternal_tui.tui.detail.text import render_detail
from eternal_tui.tui.input.keymap import bindings

EMPTY_MESSAGE = SafeText("Select a job to see its result.")

EMPTY_TITLE = SafeText("Detail")
"""The pane's title where it shows no job."""

MIN_STACKED_ROWS = 24
"""Rows from which the image is above the text; in a lower pane it is left of it."""

MIN_SIDE_BY_SIDE_COLUMNS = 80
"""Columns from which the image is left of the text, however high the pane is."""

PORTRAIT_COLUMNS_PER_ROW = 1.5
"""Columns a row of a 3:4 portrait takes: a cell is about half as wide as it is high."""


class DetailText(VerticalScroll):
    """The scrolling text of the detail."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("detail")]

    class Resized(Message):
        """Text has other room now."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def action_scroll_half(self, direction: int) -> None:
        self.scroll_relative(y=direction * max(1, self.size.height // 2), animate=False)


class DetailPane(Container):
    """Draws snapshots of one job."""

    DEFAULT_CSS = """
    DetailPane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        layout: vertical;
        padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
        & > .media { height: 3fr; width: 1fr; }
        & > VerticalScroll {
            height: 2fr; width: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        }
        & Static { width: 1fr; height: auto; }
        &.-beside { layout: horizontal; }
        &.-beside > .media { width: 24; height: 1fr; }
        &.-beside > VerticalScroll { height: 1fr; margin: 0 0 0 2; }
        &.-words > .media { display: none; }
        &.-words > VerticalScroll { height: 1fr; margin: 0; }
    }
    """

    def __init__(
        self,
        results_dir: Path,
        make_media_view: Callable[[], Widget],
        show_file: Callable[[Path | None], None],
        *,
        shows_media: bool = True,
        pane_number: int = 0,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        """Build the pane; `pane_number` is the key that goes to it, shown in its title.

        `show_file` shows a result, None for none, in the widget that `make_media_view` makes after the first frame.
        """
        # Without a job there is no picture, and styling the pane twice would delay the first frame.
        super().__init__(id=id, classes="-words")
        self._make_media_view = make_media_view
        self._media_view: Widget | None = None
        self._show_file = show_file
        self._shown_path: Path | None = None
        self._shows_media = shows_media
        self._results_dir = results_dir
        self._title_prefix = f"{pane_number} " if pane_number else ""
        self._job: Job | None = None
        self._raw_responses: Mapping[str, Any] = {}
        self._text = Static(markup=False)
        self._scroll = DetailText(self._text)
        self._drawn_state: tuple[object, ...] | None = None
        self._shows_json = False
        self._drawn_text: tuple[Content, int] | None = None
        self._title = SafeText("")

    async def mount_content(self) -> None:
        """Put the picture and the words into the frame, behind the first frame of the screen: they are empty in it."""
        self._media_view = self._make_media_view()
        self._media_view.add_class("media")
        self._fit_media_view()
        await self.mount_all([self._media_view, self._scroll])

    @property
    def job_id(self) -> int | None:
        """The job that is shown."""
        return self._job.id if self._job is not None else None

    def on_mount(self) -> None:
        """Name the pane."""
        self._set_title(EMPTY_TITLE)

    def on_resize(self, event: events.Resize) -> None:
        """Lay the image out above the text or left of it."""
        beside = event.size.height < MIN_STACKED_ROWS or event.size.width >= MIN_SIDE_BY_SIDE_COLUMNS
        self.set_class(beside, "-beside")
        self._fit_media_view()

    def _fit_media_view(self) -> None:
        if self._media_view is not None:
            portrait = min(round(self.outer_size.height * PORTRAIT_COLUMNS_PER_ROW), self.outer_size.width // 2)
            self._media_view.styles.width = max(16, portrait) if self.has_class("-beside") else None

    def set_job(self, job: Job | None, raw_responses: Mapping[str, Any] | None = None) -> None:
        """Show this snapshot; `raw_responses` are the service's own, None when they have not been read yet."""
        if raw_responses is not None:
            self._raw_responses = raw_responses
        elif job is None or self._job is None or job.id != self._job.id:
            self._raw_responses = {}
        moved = job is None or self._job is None or job.id != self._job.id
        self._job = job
        if self._scroll.is_mounted:
            if moved:
                self._scroll.scroll_home(animate=False)
            self._redraw()

    def toggle_json(self) -> None:
        """Toggle the JSON sent and received."""
        self._shows_json = not self._shows_json
        self._redraw()

    def focus_text(self) -> None:
        """Focus the text."""
        self._scroll.focus()

    @on(DetailText.Resized)
    def _redraw(self) -> None:
        if not self._scroll.is_attached:
            return
        width = max(20, self._scroll.scrollable_content_region.width)
        state = (self._job, width, id(self._raw_responses), self._shows_json)
        if state == self._drawn_state:
            return
        self._drawn_state = state
        job = self._job
        if job is None:
            self._set_title(EMPTY_TITLE)
            self.add_class("-words")
            self._set_text(Content.styled(EMPTY_MESSAGE, "$text-muted"))
            self._set_media(None)
            return
        self._set_title(format_safe("Job {id}", id=job.id))
        path = result_path(job, self._results_dir) if self._shows_media else None
        self.set_class(path is None, "-words")
        self._set_media(path)
        self._set_text(render_detail(job, self._raw_responses, width=width, with_json=self._shows_json))

    def _set_title(self, title: SafeText) -> None:
        # Setting even the same title repaints the whole pane.
        if title != self._title:
            self._title = title
            self.border_title = Content(f"{self._title_prefix}{title}")

    def _set_text(self, text: Content) -> None:
        """Show this text; only another number of lines needs a new layout."""
        before, width = self._drawn_text, self._scroll.scrollable_content_region.width
        self._drawn_text = text, width
        if before is None or before[1] != width or before[0].plain.count("\n") != text.plain.count("\n"):
            self._text.update(text)
        elif not before[0].is_same(text):
            self._text.update(text, layout=False)

    def _set_media(self, path: Path | None) -> None:
        if path != self._shown_path:
            self._shown_path = path
            self._show_file(path)

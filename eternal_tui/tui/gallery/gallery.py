"""The gallery: the listed jobs as a grid of thumbnails, moved through by the same keys as the list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import Worker

from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job
from eternal_tui.tui.gallery.grid import Grid, grid_for, prompt_caption, state_caption, text_tile_lines
from eternal_tui.tui.gallery.thumbnails import ThumbnailCache, ThumbnailKey
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.job_list.row import state_labels
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import fit


class JobListApi(Protocol):
    """What the gallery shows: the jobs of the list, in its order and under its filter, with its cursor and marks."""

    @property
    def count(self) -> int:
        """How many jobs are listed."""

    @property
    def row(self) -> int:
        """The row of the cursor."""

    @property
    def marked_ids(self) -> frozenset[int]:
        """The marked ids."""

    @property
    def can_clear(self) -> bool:
        """Whether there are marks or a filter to clear."""

    def job_at(self, row: int) -> Job:
        """Return the job listed in a row."""

    def go_to_row(self, row: int) -> None:
        """Put the cursor in a row, the nearest where there is none."""

    def perform_action(self, action: str) -> None:
        """Do what the list does by this action."""


class _Tile(NamedTuple):
    """Everything that decides what a tile looks like."""

    job: Job
    has_cursor: bool
    is_marked: bool
    has_thumbnail: bool


class Gallery(ScrollView, can_focus=True):
    """Draws the tiles in view and no others. Jobs, cursor and marks are the list's, which it steers."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "gallery--text",
        "gallery--dim",
        "gallery--live",
        "gallery--ok",
        "gallery--warn",
        "gallery--bad",
        "gallery--here",
        "gallery--mark",
    }
    DEFAULT_CSS = """
    Gallery {
        background: transparent; color: $foreground; overflow-x: hidden; scrollbar-size-vertical: 1;
        & > .gallery--text { color: $foreground; }
        & > .gallery--dim { color: $text-muted; }
        & > .gallery--live { color: $accent; }
        & > .gallery--ok { color: $success; }
        & > .gallery--warn { color: $warning; }
        & > .gallery--bad { color: $error; }
        & > .gallery--mark { color: $accent; text-style: bold; }
        & > .gallery--here { background: $block-cursor-blurred-background; }
        &:focus > .gallery--here { background: $block-cursor-background; text-style: bold; }
        &:ansi > .gallery--here { background: transparent; text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("gallery")]

    class FocusChanged(Message):
        """The gallery got the focus or lost it."""

    def __init__(
        self,
        job_list: JobListApi,
        graphics: GraphicsBackend,
        results_dir: Path,
        *,
        glyphs: Glyphs = UNICODE,
        id: str = "gallery",  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._job_list = job_list
        graphics = graphics.for_thumbnails
        self._results_dir = results_dir
        self._glyphs = glyphs
        self._shows_images = any(graphics.cell_size)
        self._grid = grid_for(1, 1, with_images=self._shows_images)
        self._thumbnails = ThumbnailCache(graphics, transmit=self._transmit, on_rendered=lambda _: self.redraw())
        self._tiles: dict[int, _Tile] = {}
        self._rendering: tuple[ThumbnailKey, ...] = ()
        self._styles: dict[tuple[str, bool], Style] = {}

    # What it shows

    def redraw(self) -> None:
        """Draw the tiles in view that have changed, and have the missing thumbnails made."""
        if not self.is_attached or not self.display or not self.size.area:
            return
        size = Size(self.size.width, self._grid.line_count(self._job_list.count))
        if size != self.virtual_size:
            self.virtual_size = size
            self.refresh()
        fresh = {place: self._build_tile(place) for place in self._visible_range()}
        for place in fresh.keys() | self._tiles.keys():
            if fresh.get(place) != self._tiles.get(place):
                self.refresh(self._tile_region(place))
        self._tiles = fresh
        self._render_missing()

    def scroll_to_cursor(self) -> None:
        """Bring the tile under the cursor into view."""
        _, line = self._grid.tile_origin(self._job_list.row)
        top, height = self.scroll_offset.y, self.size.height
        if line < top or self._grid.height >= height:
            self.scroll_to(y=line, animate=False)
        elif line + self._grid.height > top + height:
            self.scroll_to(y=line + self._grid.height - height, animate=False)

    def _visible_range(self) -> range:
        top, height, grid = self.scroll_offset.y, self.size.height, self._grid
        first = top // grid.pitch * grid.columns
        last = ((top + height - 1) // grid.pitch + 1) * grid.columns
        return range(min(first, self._job_list.count), min(last, self._job_list.count))

    def visible_ids(self) -> list[int]:
        """Return the ids of the tiles in view."""
        return [self._job_list.job_at(place).id for place in self._visible_range()]

    def _build_tile(self, tile_index: int) -> _Tile:
        job = self._job_list.job_at(tile_index)
        wanted = self._thumbnail_key(job)
        drawn = wanted is not None and self._thumbnails.get(wanted) is not None
        return _Tile(job, tile_index == self._job_list.row, job.id in self._job_list.marked_ids, drawn)

    def _thumbnail_key(self, job: Job) -> ThumbnailKey | None:
        path = result_path(job, self._results_dir) if self._shows_images else None
        return None if path is None else ThumbnailKey(path, self._grid.width, self._grid.image_rows)

    def _tile_region(self, tile_index: int) -> Region:
        x, line = self._grid.tile_origin(tile_index)
        return Region(x - 1, line - self.scroll_offset.y, self._grid.width + 1, self._grid.height)

    def _render_missing(self) -> None:
        wanted = (self._thumbnail_key(tile.job) for tile in self._tiles.values())
        missing = tuple(one for one in wanted if one is not None and self._thumbnails.get(one) is None)
        if missing and not set(missing) <= set(self._rendering):
            self._rendering = missing
            self._start_rendering(missing)

    def _start_rendering(self, missing: Sequence[ThumbnailKey]) -> Worker[None]:
        # A function, not a coroutine: one overtaken before it began would complain of never being awaited.
        async def run() -> None:
            await self._thumbnails.render_missing(missing)

        return self.run_worker(run, group="gallery", exclusive=True)

    # Life

    def on_mount(self) -> None:
        """Send pictures again after a suspend: leaving the screen makes the terminal forget them."""
        self.app.app_resume_signal.subscribe(self, lambda _: self._thumbnails.retransmit())

    def on_unmount(self) -> None:
        """Let the terminal forget the pictures."""
        self.app.app_resume_signal.unsubscribe(self)
        self._thumbnails.clear()

    def on_hide(self) -> None:
        """Keep nothing for a grid nobody sees."""
        self._thumbnails.clear()
        self._tiles.clear()
        self._rendering = ()

    def on_show(self) -> None:
        """Draw what is listed now."""
        self.call_after_refresh(self._rebuild)

    def on_resize(self) -> None:
        """Lay the tiles out for the new size."""
        self._rebuild()

    def _rebuild(self) -> None:
        grid = grid_for(self.size.width, self.size.height, with_images=self._shows_images)
        if grid != self._grid:
            self._grid = grid
            self._thumbnails.clear()
            self._rendering = ()
        self._tiles.clear()
        self.refresh()
        self.redraw()
        self.scroll_to_cursor()

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Make the thumbnails that came into view."""
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self._tiles.clear()
            self.redraw()

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        super().notify_style_update()
        self._styles.clear()

    def on_focus(self) -> None:
        """Say so, and draw the cursor as the one that keys move."""
        self._update_focus()

    def on_blur(self) -> None:
        """Say so, and draw the cursor as one at rest."""
        self._update_focus()

    def _update_focus(self) -> None:
        self._styles.clear()
        self.refresh(self._tile_region(self._job_list.row))
        self.post_message(self.FocusChanged())

    def _transmit(self, data: str) -> None:
        driver = self.app._driver
        if data and driver is not None:
            driver.write(data)

    # Actions

    def action_go(self, right: int, down: int) -> None:
        """Move the cursor by tiles and by rows of tiles."""
        row = self._job_list.row + right + down * self._grid.columns
        last = self._job_list.count - 1
        below = down > 0 and self._job_list.row // self._grid.columns < last // self._grid.columns
        if 0 <= row <= last or below:
            self._move_cursor_to(row)

    def action_page(self, pages: float) -> None:
        """Move the cursor by screens."""
        rows = max(1, self.size.height // self._grid.pitch)
        by = int(max(1, rows * abs(pages))) * self._grid.columns
        self._move_cursor_to(self._job_list.row + (by if pages > 0 else -by))

    def action_ask(self, action: str) -> None:
        """Have the list do what it does by this action."""
        self._job_list.perform_action(action)
        self.scroll_to_cursor()

    def _move_cursor_to(self, row: int) -> None:
        # At once, not by a message: the next key must find the cursor where this one put it.
        self._job_list.go_to_row(row)
        self.scroll_to_cursor()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to others when there is nothing to clear here."""
        if (action, parameters) == ("ask", ("clear",)):
            return self._job_list.can_clear
        return super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click was; a second click opens."""
        place = self._grid.tile_at(event.x, event.y + self.scroll_offset.y)
        if place is None or place >= self._job_list.count:
            return
        self._move_cursor_to(place)
        if event.chain == 2:
            self.action_ask("open")

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen: a slice through one row of tiles."""
        width, grid = self.size.width, self._grid
        row, line = divmod(y + self.scroll_offset.y, grid.pitch)
        first = row * grid.columns
        if line >= grid.height or first >= self._job_list.count:
            return Strip.blank(width, self._style_for(""))
        strips = []
        for place in range(first, min(first + grid.columns, self._job_list.count)):
            tile = self._tiles.get(place) or self._build_tile(place)
            strips += [self._gutter_strip(tile, line), self._tile_strip(tile, line, grid)]
            strips.append(Strip.blank(1, self._style_for("")))
        return Strip.join(strips).adjust_cell_length(width, self._style_for(""))

    def _gutter_strip(self, tile: _Tile, line: int) -> Strip:
        if tile.is_marked and line == 0:
            return Strip([Segment(self._glyphs.mark, self._style_for("mark"))], 1)
        if tile.has_cursor and self.has_focus:
            return Strip([Segment(self._glyphs.cursor, self._style_for("live"))], 1)
        return Strip.blank(1, self._style_for(""))

    def _tile_strip(self, tile: _Tile, line: int, grid: Grid) -> Strip:
        job, width = tile.job, grid.width
        caption = line - grid.image_rows
        if caption < 0:
            return self._image_strip(tile, line, grid)
        if caption == 0:
            role = state_labels(job)[2]
            return self._text_strip(
                self._glyphs.to_drawable(state_caption(job, self._glyphs)), width, role, has_cursor=tile.has_cursor
            )
        if grid.image_rows:
            return self._text_strip(
                self._glyphs.to_drawable(prompt_caption(job)), width, "dim", has_cursor=tile.has_cursor
            )
        words = text_tile_lines(job, width, grid.height - 1)
        text = words[caption - 1] if caption - 1 < len(words) else ""
        return self._text_strip(
            self._glyphs.to_drawable(text), width, "text" if caption == 1 else "dim", has_cursor=tile.has_cursor
        )

    def _image_strip(self, tile: _Tile, line: int, grid: Grid) -> Strip:
        wanted = self._thumbnail_key(tile.job)
        drawing = self._thumbnails.get(wanted) if wanted is not None else None
        if drawing is not None and drawing.strips:
            row = line - (grid.image_rows - len(drawing.strips)) // 2
            if not 0 <= row < len(drawing.strips):
                return Strip.blank(grid.width, self._style_for(""))
            left = (grid.width - drawing.width) // 2
            right = grid.width - left - drawing.width
            blank = self._style_for("")
            return Strip.join([Strip.blank(left, blank), drawing.row(row, blank), Strip.blank(right, blank)])
        # A picture on its way is no reason to read: only what will have none is told in words.
        words = text_tile_lines(tile.job, grid.width, grid.image_rows) if wanted is None or drawing is not None else []
        return self._text_strip(
            self._glyphs.to_drawable(words[line]) if line < len(words) else "", grid.width, "dim", has_cursor=False
        )

    def _text_strip(self, text: str, width: int, role: str, *, has_cursor: bool) -> Strip:
        return Strip(
            [Segment(fit(text, width, ellipsis=self._glyphs.ellipsis), self._style_for(role, has_cursor=has_cursor))],
            width,
        )

    def _style_for(self, role: str, *, has_cursor: bool = False) -> Style:
        style = self._styles.get((role, has_cursor))
        if style is None:
            style = self.rich_style
            if role:
                style += self.get_component_rich_style(f"gallery--{role}", partial=True)
            if has_cursor:
                style += self.get_component_rich_style("gallery--here", partial=True)
            self._styles[role, has_cursor] = style
        return style

"""Gallery: the listed jobs as a grid of thumbnails."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual import events, work
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import character_label
from eternal_tui.jobs.model import Job
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.thumbnails import DECODE_DELAY_SECONDS, ThumbnailCache, ThumbnailKey
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.terminal.textual_internals import write_to_terminal
from eternal_tui.tui.widgets.cells import fit
from eternal_tui.tui.widgets.jobs import LIVE_STATES, JobListing, JobView, empty_lines, state_glyph, state_labels

FRAME_CELLS = 2
"""Columns, and rows, of the frame around a tile."""

CAPTION_ROWS = 1
"""Rows under an image: the character and the prompt."""

TILE_GAP_COLUMNS = 1
"""Columns between two frames."""

MAX_IMAGE_ROWS, MIN_IMAGE_ROWS = 12, 3
"""Rows of a thumbnail."""

MIN_TILE_COLUMNS = 16
"""Columns inside a frame in which a state and the beginning of a prompt can be read."""

PREFERRED_COLUMNS = 4
"""Tiles side by side for which a tile is made narrower, down to MIN_TILE_COLUMNS."""

TEXT_TILE_COLUMNS, TEXT_TILE_ROWS = 30, 3
"""Columns and rows inside the frame of a tile without an image."""


class Grid(NamedTuple):
    """Frames of `width` × `height` cells, `columns` of them in a row; `image_rows` rows of each have the image."""

    columns: int
    width: int
    height: int
    image_rows: int

    @property
    def inner_width(self) -> int:
        """Columns inside a frame."""
        return self.width - FRAME_CELLS

    def line_count(self, tile_count: int) -> int:
        """Return the number of lines of that many tiles."""
        return -(-tile_count // self.columns) * self.height

    def tile_origin(self, tile: int) -> tuple[int, int]:
        """Return the column and the line of a frame's top left corner."""
        row, column = divmod(tile, self.columns)
        return column * (self.width + TILE_GAP_COLUMNS), row * self.height

    def tile_at(self, x: int, y: int) -> int | None:
        """Return the tile that covers a cell, counted from the first, None between tiles."""
        column, offset = divmod(x, self.width + TILE_GAP_COLUMNS)
        if not 0 <= column < self.columns or offset >= self.width:
            return None
        return y // self.height * self.columns + column


def grid_for(width: int, height: int, *, with_images: bool) -> Grid:
    """Return the grid that fills a pane of width × height cells: two rows of tiles where images stay recognisable."""
    if with_images:
        two = height // 2 - FRAME_CELLS - CAPTION_ROWS
        one = max(MIN_IMAGE_ROWS, height - FRAME_CELLS - CAPTION_ROWS)
        image_rows = min(MAX_IMAGE_ROWS, two if two >= 2 * MIN_IMAGE_ROWS else one)
        # A cell is half as wide as it is high: this is a square, in which any portrait fits.
        wanted, rows = max(2 * image_rows, MIN_TILE_COLUMNS), image_rows + CAPTION_ROWS
        for_columns = (width + TILE_GAP_COLUMNS) // PREFERRED_COLUMNS - TILE_GAP_COLUMNS - FRAME_CELLS
        wanted = min(wanted, max(for_columns, MIN_TILE_COLUMNS))
    else:
        image_rows, wanted, rows = 0, TEXT_TILE_COLUMNS, TEXT_TILE_ROWS
    outer = max(FRAME_CELLS + 1, min(wanted + FRAME_CELLS, width))
    columns = max(1, (width + TILE_GAP_COLUMNS) // (outer + TILE_GAP_COLUMNS))
    return Grid(columns, outer, rows + FRAME_CELLS, image_rows)


def state_caption(job: Job) -> SafeText:
    """Return the sign and label of the state, the progress and the type."""
    _, short, _ = state_labels(job)
    parts = [format_safe("{sign} {word}", sign=state_glyph(job), word=short)]
    if job.state in LIVE_STATES:
        parts.append(format_safe("{progress} %", progress=job.progress))
    if job.request.type == "video":
        seconds = round(job.file_info.seconds) if job.file_info is not None else job.request.duration
        parts.append(format_safe("{n} s", n=seconds) if seconds else SafeText("video"))
    return join_safe(" ", *parts)


def caption(job: Job) -> SafeText:
    """Return star or rejection, the character's name and the beginning of the prompt on one line."""
    parts = [SafeText("rejected")] if job.rating < 0 else []
    parts += [sanitize(job.name, limit=60)] if job.name else []
    text = join_safe(" · ", *parts, sanitize(job.request.prompt, limit=200))
    return format_safe("★ {text}", text=text) if job.starred else text


def reason_lines(job: Job, width: int, rows: int) -> list[str]:
    """Return why a tile has no image, or else its prompt, wrapped into at most `rows` lines."""
    text = sanitize(job.error or job.waiting_reason or job.request.prompt, limit=400)
    return [fit(line, width) for line in textwrap.wrap(text, max(4, width))[:rows]]


def text_tile_lines(job: Job, width: int, rows: int) -> list[str]:
    """Return the lines of a tile without an image: the character, then what `reason_lines` returns."""
    return [fit(character_label(job), width), *reason_lines(job, width, rows - 1)]


class _Tile(NamedTuple):
    """Everything a tile is drawn from."""

    job: Job
    has_cursor: bool
    is_marked: bool
    has_thumbnail: bool


class Gallery(JobView):
    """Draws the tiles in view. Jobs, cursor and marks are those of the listing."""

    DEFAULT_CSS = """
    Gallery {
        & > .job--cursor { color: $foreground; text-style: bold; }
        &:focus > .job--cursor { color: $accent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("gallery"), *bindings("tiles"), *bindings("matches")]

    def __init__(self, listing: JobListing, graphics: GraphicsBackend, results_dir: Path) -> None:
        super().__init__(id="gallery")
        self._listing = listing
        graphics = graphics.for_thumbnails
        self._results_dir = results_dir
        self._shows_images = any(graphics.cell_size)
        self._grid = grid_for(1, 1, with_images=self._shows_images)
        self._thumbnails = ThumbnailCache(
            graphics, transmit=lambda data: write_to_terminal(self.app, data), on_rendered=lambda _: self.redraw()
        )
        self._tiles: dict[int, _Tile] = {}
        self._rendering: tuple[ThumbnailKey, ...] = ()

    # Tiles

    def redraw(self) -> None:
        """Draw the tiles in view that have changed, and have the missing thumbnails made."""
        if not self.is_attached or not self.display or not self.size.area:
            return
        size = Size(self.size.width, self._grid.line_count(self._listing.count))
        if size != self.virtual_size or not self._listing.count:
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
        _, line = self._grid.tile_origin(self._listing.row)
        top, height = self.scroll_offset.y, self.size.height
        if line < top or self._grid.height >= height:
            self.scroll_to(y=line, animate=False)
        elif line + self._grid.height > top + height:
            self.scroll_to(y=line + self._grid.height - height, animate=False)

    def _visible_range(self) -> range:
        top, height, grid = self.scroll_offset.y, self.size.height, self._grid
        first = top // grid.height * grid.columns
        last = ((top + height - 1) // grid.height + 1) * grid.columns
        return range(min(first, self._listing.count), min(last, self._listing.count))

    def visible_ids(self) -> list[int]:
        """Return the ids of the tiles in view."""
        return [self._listing.job_at(place).id for place in self._visible_range()]

    def _build_tile(self, tile_index: int) -> _Tile:
        job = self._listing.job_at(tile_index)
        wanted = self._thumbnail_key(job)
        drawn = wanted is not None and self._thumbnails.get(wanted) is not None
        return _Tile(job, tile_index == self._listing.row, job.id in self._listing.marked_ids, drawn)

    def _thumbnail_key(self, job: Job) -> ThumbnailKey | None:
        path = result_path(job, self._results_dir) if self._shows_images else None
        return None if path is None else ThumbnailKey(path, self._grid.inner_width, self._grid.image_rows)

    def _tile_region(self, tile_index: int) -> Region:
        x, line = self._grid.tile_origin(tile_index)
        return Region(x, line - self.scroll_offset.y, self._grid.width, self._grid.height)

    def _render_missing(self) -> None:
        wanted = (self._thumbnail_key(tile.job) for tile in self._tiles.values())
        missing = tuple(one for one in wanted if one is not None and self._thumbnails.get(one) is None)
        if missing and not set(missing) <= set(self._rendering):
            self._rendering = missing
            self._render_thumbnails(missing)

    @work(group="gallery", exclusive=True)
    async def _render_thumbnails(self, missing: Sequence[ThumbnailKey]) -> None:
        # `j` held down chooses others before these are drawn.
        await asyncio.sleep(DECODE_DELAY_SECONDS)
        await self._thumbnails.render_missing(missing)

    # Lifetime

    def on_mount(self) -> None:
        self.app.app_resume_signal.subscribe(self, lambda _: self._thumbnails.retransmit())

    def on_unmount(self) -> None:
        self.app.app_resume_signal.unsubscribe(self)
        self._thumbnails.clear()

    def on_hide(self) -> None:
        self._thumbnails.clear()
        self._tiles.clear()
        self._rendering = ()

    def on_show(self) -> None:
        self.call_after_refresh(self._rebuild)

    def on_resize(self) -> None:
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
        # Textual scrolls only what has a scrollbar, and shows it with the layout that redraw asks for.
        self.call_after_refresh(self.scroll_to_cursor)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Make the thumbnails that came into view."""
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self._tiles.clear()
            self.redraw()

    def on_focus(self) -> None:
        self._update_focus(has_focus=True)

    def on_blur(self) -> None:
        self._update_focus(has_focus=False)

    def _update_focus(self, *, has_focus: bool) -> None:
        self.clear_styles()
        self.refresh(self._tile_region(self._listing.row))
        self._listing.is_externally_driven = has_focus

    # Actions

    def action_go(self, right: int, down: int) -> None:
        """Move the cursor by tiles and by rows of tiles."""
        row = self._listing.row + right + down * self._grid.columns
        last = self._listing.count - 1
        below = down > 0 and self._listing.row // self._grid.columns < last // self._grid.columns
        if 0 <= row <= last or below:
            self._move_cursor_to(row)

    def action_page(self, pages: float) -> None:
        """Move the cursor by screens."""
        rows = max(1, self.size.height // self._grid.height)
        by = int(max(1, rows * abs(pages))) * self._grid.columns
        self._move_cursor_to(self._listing.row + (by if pages > 0 else -by))

    def action_ask(self, action: str) -> None:
        """Perform an action of the list."""
        self._listing.perform_action(action)
        self.scroll_to_cursor()

    def action_match(self, step: int) -> None:
        """Go to the next match of the search, or the one before."""
        self._listing.action_match(step)
        self.scroll_to_cursor()

    def _move_cursor_to(self, row: int) -> None:
        # At once, not by a message: the next key must find the cursor where this one put it.
        self._listing.go_to_row(row)
        self.scroll_to_cursor()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape and the keys of the search to others when they mean nothing here."""
        if action == "match":
            return self._listing.is_searching
        if (action, parameters) == ("ask", ("clear",)):
            return self._listing.can_clear
        return super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        place = self._grid.tile_at(event.x, event.y + self.scroll_offset.y)
        if place is None or place >= self._listing.count:
            return
        self._move_cursor_to(place)
        if event.chain == 2:
            self.action_ask("open")

    # Drawing

    def render_line(self, y: int) -> Strip:
        width, grid = self.size.width, self._grid
        if not self._listing.count:
            lines = empty_lines(self._listing.empty_text, width)
            return self._text_strip(lines[y] if y < len(lines) else "", width, "dim")
        row, line = divmod(y + self.scroll_offset.y, grid.height)
        first = row * grid.columns
        if first >= self._listing.count:
            return Strip.blank(width, self.role_style(""))
        gap = Strip.blank(TILE_GAP_COLUMNS, self.role_style(""))
        strips = []
        for place in range(first, min(first + grid.columns, self._listing.count)):
            strips += [self._tile_strip(self._tiles.get(place) or self._build_tile(place), line, grid), gap]
        return Strip.join(strips).adjust_cell_length(width, self.role_style(""))

    def _tile_strip(self, tile: _Tile, line: int, grid: Grid) -> Strip:
        frame = "┏┓┛┗━┃" if tile.has_cursor else "╭╮╯╰─│"
        top_left, top_right, bottom_right, bottom_left, horizontal, vertical = tuple(frame)
        style = self.role_style("cursor" if tile.has_cursor else "mark" if tile.is_marked else "dim")
        inside = line - 1
        if inside < 0:
            mark = " ● " if tile.is_marked else ""
            room = grid.inner_width - cell_len(mark) - 2
            state = state_caption(tile.job)
            text = state if cell_len(state) <= room else fit(state, room)
            rest = horizontal * (room - cell_len(text))
            role = self.role_style(state_labels(tile.job)[2])
            segments = (
                (f"{top_left} ", style),
                (text, role),
                (f" {rest}", style),
                (mark, self.role_style("mark")),
                (top_right, style),
            )
            return Strip([Segment(*each) for each in segments if each[0]]).adjust_cell_length(grid.width, style)
        if line == grid.height - 1:
            return Strip([Segment(f"{bottom_left}{horizontal * grid.inner_width}{bottom_right}", style)], grid.width)
        side = Strip([Segment(vertical, style)], 1)
        return Strip.join([side, self._inner_strip(tile, inside, grid), side])

    def _inner_strip(self, tile: _Tile, line: int, grid: Grid) -> Strip:
        width = grid.inner_width
        if not grid.image_rows:
            lines = text_tile_lines(tile.job, width, grid.height - FRAME_CELLS)
            return self._text_strip(lines[line] if line < len(lines) else "", width, "dim" if line else "text")
        if line == grid.image_rows:
            return self._text_strip(caption(tile.job), width, "text")
        wanted = self._thumbnail_key(tile.job)
        drawing = self._thumbnails.get(wanted) if wanted is not None else None
        blank = self.role_style("")
        if drawing is not None and drawing.strips:
            row = line - (grid.image_rows - len(drawing.strips)) // 2
            if not 0 <= row < len(drawing.strips):
                return Strip.blank(width, blank)
            left = (width - drawing.width) // 2
            right = width - left - drawing.width
            return Strip.join([Strip.blank(left, blank), drawing.row(row, blank), Strip.blank(right, blank)])
        # Text is shown only where there will be no image, not while one is loaded.
        lines = reason_lines(tile.job, width, grid.image_rows) if wanted is None or drawing is not None else []
        return self._text_strip(lines[line] if line < len(lines) else "", width, "dim")

    def _text_strip(self, text: str, width: int, role: str) -> Strip:
        drawable = fit(text, width)
        return Strip([Segment(drawable, self.role_style(role))], width)

"""Grid: how many gallery tiles fit and where each is, and the texts of a tile."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.formatting import character_label
from eternal_tui.jobs.model import Job
from eternal_tui.tui.widgets.cells import fit
from eternal_tui.tui.widgets.jobs import LIVE_STATES, state_glyph, state_labels

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
        """Return the lines that so many tiles take."""
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

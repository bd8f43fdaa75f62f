"""The gallery's arithmetic and words: how many tiles fit, where each stands, and what is written under it. Pure."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.formatting import character_label
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.row import LIVE_STATES, state_glyph, state_labels
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import fit

CAPTION_ROWS = 2
"""Lines under a picture: how the job stands, and its prompt."""

TILE_GAP_COLUMNS = 2
"""Columns between two tiles."""

MAX_IMAGE_ROWS, MIN_IMAGE_ROWS = 12, 3
"""Rows of a picture: no more than looks like a thumbnail, no fewer than tell one from another."""

MIN_TILE_COLUMNS = 16
"""Columns in which a state and the beginning of a prompt can be read."""

TEXT_TILE_COLUMNS, TEXT_TILE_ROWS = 30, 4
"""Columns and rows of a tile that has no picture but words."""


class Grid(NamedTuple):
    """Tiles of `width` × `height` cells, `columns` of them in a row; `image_rows` rows of each hold the picture."""

    columns: int
    width: int
    height: int
    image_rows: int

    @property
    def pitch(self) -> int:
        """Rows from one row of tiles to the next, the blank line between them included."""
        return self.height + 1

    def line_count(self, tile_count: int) -> int:
        """Return the lines that so many tiles take."""
        return -(-tile_count // self.columns) * self.pitch

    def tile_origin(self, tile: int) -> tuple[int, int]:
        """Return the column and the line at which a tile begins."""
        row, column = divmod(tile, self.columns)
        return 1 + column * (self.width + TILE_GAP_COLUMNS), row * self.pitch

    def tile_at(self, x: int, y: int) -> int | None:
        """Return the tile that covers a cell, counted from the first, None between tiles."""
        column, into = divmod(x - 1, self.width + TILE_GAP_COLUMNS)
        if not 0 <= column < self.columns or into >= self.width or y % self.pitch >= self.height:
            return None
        return y // self.pitch * self.columns + column


def grid_for(width: int, height: int, *, with_images: bool) -> Grid:
    """Return the grid that fills a pane of width × height cells: two rows of tiles where they can be told apart."""
    if not with_images:
        tile = max(1, min(TEXT_TILE_COLUMNS, width - 1))
        return Grid(max(1, (width - 1 + TILE_GAP_COLUMNS) // (tile + TILE_GAP_COLUMNS)), tile, TEXT_TILE_ROWS, 0)
    two = (height - 1) // 2 - CAPTION_ROWS
    picture = min(MAX_IMAGE_ROWS, two if two >= 2 * MIN_IMAGE_ROWS else max(MIN_IMAGE_ROWS, height - CAPTION_ROWS))
    # A cell is half as wide as it is high: this is a square, in which any portrait fits.
    tile = max(1, min(max(2 * picture, MIN_TILE_COLUMNS), width - 1))
    return Grid(
        max(1, (width - 1 + TILE_GAP_COLUMNS) // (tile + TILE_GAP_COLUMNS)), tile, picture + CAPTION_ROWS, picture
    )


def state_caption(job: Job, glyphs: Glyphs = UNICODE) -> SafeText:
    """Return the sign and the word for how the job stands, and what it is."""
    _, short, _ = state_labels(job)
    parts = [format_safe("{sign} {word}", sign=state_glyph(job, glyphs), word=short)]
    if job.state in LIVE_STATES:
        parts.append(format_safe("{progress} %", progress=job.progress))
    if job.request.type == "video":
        seconds = round(job.facts.seconds) if job.facts is not None else job.request.duration
        parts.append(format_safe("{n} s", n=seconds) if seconds else SafeText("clip"))
    return join_safe(" ", *parts)


def prompt_caption(job: Job) -> SafeText:
    """Return the beginning of the prompt on one line."""
    return sanitize(job.request.prompt, limit=200)


def text_tile_lines(job: Job, width: int, rows: int) -> list[str]:
    """Return what stands in place of a picture: who, and the prompt or what went wrong, in `line_count` lines."""
    told = sanitize(job.error or job.trouble or job.request.prompt, limit=400)
    lines = [fit(character_label(job), width), *textwrap.wrap(told, max(4, width))]
    return [fit(line, width) for line in lines[:rows]]

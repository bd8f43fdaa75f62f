"""The gallery's arithmetic and words: how many tiles fit, where each stands, and what is written under it. Pure."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.jobs.formatting import who
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.row import LIVE, sign, state_words
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import fit

CAPTION = 2
"""Lines under a picture: how the job stands, and its prompt."""

GAP = 2
"""Columns between two tiles."""

HIGHEST, LOWEST = 12, 3
"""Rows of a picture: no more than looks like a thumbnail, no fewer than tell one from another."""

NARROWEST = 16
"""Columns in which a state and the beginning of a prompt can be read."""

WORDS_WIDTH, WORDS_HEIGHT = 30, 4
"""Columns and rows of a tile that has no picture but words."""


class Grid(NamedTuple):
    """Tiles of `width` × `height` cells, `across` of them in a row; `picture` rows of each hold the picture."""

    across: int
    width: int
    height: int
    picture: int

    @property
    def pitch(self) -> int:
        """Rows from one row of tiles to the next, the blank line between them included."""
        return self.height + 1

    def rows(self, count: int) -> int:
        """Return the lines that so many tiles take."""
        return -(-count // self.across) * self.pitch

    def place(self, tile: int) -> tuple[int, int]:
        """Return the column and the line at which a tile begins."""
        row, column = divmod(tile, self.across)
        return 1 + column * (self.width + GAP), row * self.pitch

    def tile_at(self, x: int, y: int) -> int | None:
        """Return the tile that covers a cell, counted from the first, None between tiles."""
        column, into = divmod(x - 1, self.width + GAP)
        if not 0 <= column < self.across or into >= self.width or y % self.pitch >= self.height:
            return None
        return y // self.pitch * self.across + column


def grid_for(width: int, height: int, *, pictures: bool) -> Grid:
    """Return the grid that fills a pane of width × height cells: two rows of tiles where they can be told apart."""
    if not pictures:
        tile = max(1, min(WORDS_WIDTH, width - 1))
        return Grid(max(1, (width - 1 + GAP) // (tile + GAP)), tile, WORDS_HEIGHT, 0)
    two = (height - 1) // 2 - CAPTION
    picture = min(HIGHEST, two if two >= 2 * LOWEST else max(LOWEST, height - CAPTION))
    # A cell is half as wide as it is high: this is a square, in which any portrait fits.
    tile = max(1, min(max(2 * picture, NARROWEST), width - 1))
    return Grid(max(1, (width - 1 + GAP) // (tile + GAP)), tile, picture + CAPTION, picture)


def state_text(job: Job, glyphs: Glyphs = UNICODE) -> Shown:
    """Return the sign and the word for how the job stands, and what it is."""
    _, short, _ = state_words(job)
    parts = [say("{sign} {word}", sign=sign(job, glyphs), word=short)]
    if job.state in LIVE:
        parts.append(say("{progress} %", progress=job.progress))
    if job.request.type == "video":
        seconds = round(job.facts.seconds) if job.facts is not None else job.request.duration
        parts.append(say("{n} s", n=seconds) if seconds else Shown("clip"))
    return join(" ", *parts)


def prompt_text(job: Job) -> Shown:
    """Return the beginning of the prompt on one line."""
    return shown(job.request.prompt, limit=200)


def words_for(job: Job, width: int, rows: int) -> list[str]:
    """Return what stands in place of a picture: who, and the prompt or what went wrong, in `rows` lines."""
    told = shown(job.error or job.trouble or job.request.prompt, limit=400)
    lines = [fit(who(job), width), *textwrap.wrap(told, max(4, width))]
    return [fit(line, width) for line in lines[:rows]]

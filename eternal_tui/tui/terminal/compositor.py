"""Compositor that renders dirty lines only and writes only the cells that differ from the terminal's.

Textual 8.2.8 renders every widget that a dirty region touches in full, and writes each dirty line from the widget's
left edge: 1,200 bytes for one digit at the right end of a row. It also writes the whole screen at each change of the
layout, four times in a start. Here a line is written from the segment in which it changes.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from textual._compositor import Compositor, CompositorUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

PICTURE_LINE_SEGMENTS = 48
"""Segments above which a line is part of a picture: lines of text have a dozen or two."""


_UNCERTAIN_WIDTH = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0590-\u10ff\u1700-\u1dff\u200d\u20d0-\u20ff\ufe0e\ufe0f"
    "\U0001f000-\U0001faff\U000e0000-\U000e0fff]"
)
"""Characters whose columns terminals count differently: marks, scripts with them, and parts of emoji sequences."""


class LineSpan(NamedTuple):
    """Cells of line `y` from column `x` on."""

    x: int
    y: int
    strip: Strip

    @property
    def region(self) -> Region:
        return Region(self.x, self.y, self.strip.cell_length, 1)

    @property
    def is_of_picture(self) -> bool:
        """Whether it is part of a picture rather than of text."""
        return len(self.strip._segments) > PICTURE_LINE_SEGMENTS

    def render(self, console: Console) -> str:
        return f"\x1b[{self.y + 1};{self.x + 1}H{_render_at(self.x, self.strip, console)}"


class ScreenBuffer:
    """The lines last written to the terminal, as far as they are known."""

    def __init__(self) -> None:
        self._lines: dict[int, Strip] = {}

    def invalidate(self) -> None:
        """Forget all lines: another program has written, or the terminal changed its size."""
        self._lines.clear()

    def update(self, span: LineSpan, width: int) -> LineSpan | None:
        """Put a span on a screen `width` columns wide; return the part to write, None where the cells read so."""
        (x, y, new), old = span, self._lines.get(span.y)
        if old is None or old.cell_length != width:
            if new.cell_length == width:
                self._lines[y] = new
            else:
                self._lines.pop(y, None)
            return span
        end = x + new.cell_length
        before = old.crop(x, end)
        if before == new:
            return None
        self._lines[y] = Strip.join([old.crop(0, x), new, old.crop(end)])
        start, stop = _changed_range(before, new)
        return LineSpan(x + start, y, new.crop(start, stop))

    def rewrite(self, region: Region, console: Console) -> str:
        """Return the output that writes erased cells again."""
        return "".join(
            LineSpan(region.x, y, line.crop(region.x, region.right)).render(console)
            for y in region.line_range
            if (line := self._lines.get(y)) is not None
        )


def _render_at(x: int, strip: Strip, console: Console) -> str:
    """Return the output for a line from column `x` on, with each text in its column whatever its width on the terminal.

    Where a width is uncertain spaces are written first, then each text at its column. It may run over spaces behind it;
    Textual has turned line wrapping off.
    """
    if not _UNCERTAIN_WIDTH.search(strip.text):
        return strip.render(console)
    texts = []
    for segment in strip:
        if text := segment.text.rstrip():
            texts.append(f"\x1b[{x + 1}G{Strip([Segment(text, segment.style)]).render(console)}")
        x += segment.cell_length
    spaces = Strip(Segment(" " * segment.cell_length, segment.style) for segment in strip)
    return spaces.render(console) + "".join(texts)


def _changed_range(old: Strip, new: Strip) -> tuple[int, int]:
    """Return start and end column of what differs in two lines of one length, at edges of segments of `new`."""
    before, after = list(old), list(new)
    start = 0
    for first, second in zip(before, after, strict=False):
        if first != second:
            break
        start += second.cell_length
    end = new.cell_length
    for first, second in zip(reversed(before), reversed(after), strict=False):
        if first != second or end - second.cell_length < start:
            break
        end -= second.cell_length
    return start, end


class DiffUpdate(CompositorUpdate):
    """Update that writes what differs from the buffer, at most about `max_chars` characters, text before pictures."""

    def __init__(self, spans: Sequence[LineSpan], buffer: ScreenBuffer, width: int) -> None:
        self.max_chars = sys.maxsize
        self.written: list[Region] = []
        self.unwritten = [span.region for span in spans]
        self._spans = spans
        self._buffer = buffer
        self._width = width

    def render_segments(self, console: Console) -> str:
        self.written, self.unwritten = [], []
        output, length = [], 0
        for span in sorted(self._spans, key=lambda span: span.is_of_picture):
            if length >= self.max_chars:
                self.unwritten.append(span.region)
            elif (changed := self._buffer.update(span, self._width)) is not None:
                self.written.append(changed.region)
                output.append(changed.render(console))
                length += len(output[-1])
        return "".join(output)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of a whole screen, for a screenshot."""
        for span in self._spans:
            if span.y:
                yield Segment.line()
            yield from span.strip


def _safe_start_column(strip: Strip, column: int) -> int:
    """Return `column`, or the first of its segment where a wide character could be split."""
    start = 0
    for segment in strip:
        following = start + segment.cell_length
        if following > column:
            return column if segment.text.isascii() else start
        start = following
    return start


class DiffCompositor(Compositor):
    """Textual's compositor with updates of what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ScreenBuffer()

    def _get_renders(self, crop: Region | None = None) -> Iterator[tuple[Region, Region, list[Strip]]]:
        """Render the visible lines of each widget, the foremost first.

        Textual renders containers in full under their children: more than half of the lines of this app's screen.
        """
        cuts = self.cuts
        covered: list[set[int]] = [set() for _ in cuts]
        for widget, (region, clip) in self.visible_widgets.items():
            part = region.intersection(clip if crop is None else clip.intersection(crop))
            visible = []
            for y in part.line_range if part.width else ():
                own_cuts = [cut for cut in cuts[y] if part.x <= cut < part.right]
                if not covered[y].issuperset(own_cuts):
                    covered[y].update(own_cuts)
                    visible.append(y)
            for run in _consecutive_runs(visible):
                lines = Region(part.x, run[0], part.width, len(run))
                yield region, lines, widget.render_lines(lines.translate(-region.offset))

    def render_full_update(self, simplify: bool = False) -> DiffUpdate:  # type: ignore[override]
        lines = enumerate(super().render_full_update(simplify).strips)
        return DiffUpdate([LineSpan(0, y, Strip.join(strips)) for y, strips in lines], self.buffer, self.size.width)

    def render_partial_update(self) -> DiffUpdate | None:  # type: ignore[override]
        screen = self.size.region
        dirty = [part for region in self._dirty_regions if (part := region.intersection(screen))]
        self._dirty_regions.clear()
        return DiffUpdate(list(self._dirty_spans(dirty)), self.buffer, screen.width) if dirty else None

    def _dirty_spans(self, dirty: Iterable[Region]) -> Iterator[LineSpan]:
        """Yield what the foremost widgets show in dirty cells, each line of a widget rendered once."""
        visible = self.visible_widgets
        wanted: list[tuple[Widget, int, int, int, int]] = []
        lines: dict[Widget, set[int]] = {}
        parts = [(widget, region.intersection(clip)) for widget, (region, clip) in visible.items()]
        for y, start, end in self._regions_to_spans(dirty):
            here = [(widget, part) for widget, part in parts if part.y <= y < part.bottom]
            for left, right in itertools.pairwise(self.cuts[y]):
                fronts = (widget for widget, part in here if part.x <= left and right <= part.right)
                if left < end and right > start and (front := next(fronts, None)) is not None:
                    wanted.append((front, y, left, max(left, start), min(right, end)))
                    lines.setdefault(front, set()).add(y)
        strips = {widget: _render_lines(widget, visible[widget][0], ys) for widget, ys in lines.items()}
        for widget, y, left, start, end in wanted:
            strip, x = strips[widget][y], visible[widget][0].x
            safe = max(left, x + _safe_start_column(strip, start - x))
            yield LineSpan(safe, y, strip.crop(safe - x, end - x))


def _consecutive_runs(lines: Iterable[int]) -> list[list[int]]:
    """Split ascending numbers where there is a gap."""
    runs: list[list[int]] = []
    for y in lines:
        if runs and runs[-1][-1] == y - 1:
            runs[-1].append(y)
        else:
            runs.append([y])
    return runs


def _render_lines(widget: Widget, region: Region, lines: Iterable[int]) -> dict[int, Strip]:
    """Return lines of the screen as rendered by a widget in `region`, each run of lines in one call."""
    return {
        y: strip
        for run in _consecutive_runs(sorted(lines))
        for y, strip in zip(run, widget.render_lines(Region(0, run[0] - region.y, region.width, len(run))), strict=True)
    }


class DiffScreen(Screen[None]):
    """Screen with a DiffCompositor."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._compositor: DiffCompositor = DiffCompositor()

    def paint_now(self, widget: Widget) -> None:
        """Paint the dirty cells of a widget at once, unless the whole screen is about to change.

        Textual's way, by a message to the screen and a timer, waits for all messages before it.
        """
        if not self.is_current or self.app._batch_count or self._layout_required or self._repaint_required:
            return
        self._compositor.update_widgets({widget})
        self._compositor_refresh()

    def on_screen_suspend(self) -> None:
        self.invalidate_buffer()

    def invalidate_buffer(self) -> None:
        """Have every cell written with the next update."""
        self._compositor.buffer.invalidate()


def rewrite_cells(screen: Screen[Any], region: Region) -> str:
    """Return the output that writes cells of a screen again."""
    if not isinstance(screen, DiffScreen):
        return ""
    return screen._compositor.buffer.rewrite(region.intersection(screen.size.region), screen.app.console)


def force_repaint(screen: Screen[Any]) -> None:
    """Have every cell of a screen written again."""
    if isinstance(screen, DiffScreen):
        screen.invalidate_buffer()
    screen.refresh()

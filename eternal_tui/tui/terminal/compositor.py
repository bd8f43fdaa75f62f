"""Compositor that renders dirty lines only and writes only the cells that differ from the terminal's.

Textual 8.2.8 renders every widget that a dirty region touches in full, and writes each dirty line from the widget's
left edge: 1,200 bytes for one digit at the right end of a row. It also writes the whole screen at each change of the
layout, four times in a start. Here a line is written from the segment in which it changes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate
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


class ScreenBuffer:
    """The lines last written to the terminal, as far as they are known."""

    def __init__(self) -> None:
        self._lines: dict[int, Strip] = {}
        self._written_regions: list[Region] = []

    def take_written_regions(self) -> list[Region]:
        """Return the cells written since the last call."""
        regions, self._written_regions = self._written_regions, []
        return regions

    def invalidate(self) -> None:
        """Forget all lines: another program has written, or the terminal changed its size."""
        self._lines.clear()

    def write_line(self, y: int, new: Strip, console: Console) -> str:
        """Return the output that makes line `y` read `new`."""
        old = self._lines.get(y)
        self._lines[y] = new
        if old is None or old.cell_length != new.cell_length:
            return self._sequence_at(0, y, new, console)
        if old == new:
            return ""
        start, end = _changed_range(old, new)
        return self._sequence_at(start, y, new.crop(start, end), console)

    def write_span(self, x: int, y: int, new: Strip, console: Console) -> str:
        """Return the output that makes the cells of line `y` from column `x` on read `new`."""
        old, end = self._lines.get(y), x + new.cell_length
        if old is None or end > old.cell_length:
            self._lines.pop(y, None)
            return self._sequence_at(x, y, new, console)
        before = old.crop(x, end)
        if before == new:
            return ""
        self._lines[y] = Strip.join([old.crop(0, x), new, old.crop(end)])
        first, last = _changed_range(before, new)
        return self._sequence_at(x + first, y, new.crop(first, last), console)

    def rewrite(self, region: Region, console: Console) -> str:
        """Return the output that writes erased cells again."""
        known = {y: line for y in region.line_range if (line := self._lines.get(y)) is not None}
        return "".join(
            f"\x1b[{y + 1};{region.x + 1}H{_render_at(region.x, line.crop(region.x, region.right), console)}"
            for y, line in known.items()
        )

    def _sequence_at(self, x: int, y: int, strip: Strip, console: Console) -> str:
        self._written_regions.append(Region(x, y, strip.cell_length, 1))
        return f"\x1b[{y + 1};{x + 1}H{_render_at(x, strip, console)}"


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


def written_regions(update: RenderableType) -> list[Region]:
    """Return the cells that an update wrote."""
    if isinstance(update, FullDiffUpdate | PartialDiffUpdate):
        return update.buffer.take_written_regions()
    if isinstance(update, ChopsUpdate):
        return [Region(start, y, end - start, 1) for y, start, end in update.spans]
    return [update.region] if isinstance(update, LayoutUpdate) else []


class LineSpan(NamedTuple):
    """Cells to write on one line; all of it with `is_full_line`."""

    region: Region
    strip: Strip
    is_full_line: bool = False

    @property
    def is_picture_line(self) -> bool:
        """Whether it is a line of a picture rather than of text."""
        return len(self.strip._segments) > PICTURE_LINE_SEGMENTS


class DiffUpdate(CompositorUpdate):
    """Update that writes at most `max_chars` characters, text before pictures; None: no limit."""

    max_chars: int | None = None

    def __init__(self, buffer: ScreenBuffer) -> None:
        self.buffer = buffer
        self._unwritten: list[Region] | None = None

    def line_spans(self) -> Iterable[LineSpan]:
        """Return the spans to write, from the top."""
        raise NotImplementedError

    def unwritten_regions(self) -> list[Region]:
        """Return the cells that were not written."""
        return [part.region for part in self.line_spans()] if self._unwritten is None else self._unwritten

    def render_segments(self, console: Console) -> str:
        """Return the output."""
        self._unwritten = []
        if self.max_chars is None:
            return "".join(self._sequence_for(part, console) for part in self.line_spans())
        output, length = [], 0
        for part in sorted(self.line_spans(), key=lambda part: part.is_picture_line):
            if length >= self.max_chars:
                self._unwritten.append(part.region)
                continue
            output.append(self._sequence_for(part, console))
            length += len(output[-1])
        return "".join(output)

    def _sequence_for(self, span: LineSpan, console: Console) -> str:
        (x, y), strip = span.region.offset, span.strip
        return (
            self.buffer.write_line(y, strip, console)
            if span.is_full_line
            else self.buffer.write_span(x, y, strip, console)
        )


class FullDiffUpdate(DiffUpdate, LayoutUpdate):
    """Update of the whole screen, which writes the lines that differ."""

    def __init__(self, update: LayoutUpdate, buffer: ScreenBuffer) -> None:
        DiffUpdate.__init__(self, buffer)
        LayoutUpdate.__init__(self, update.strips, update.region)

    def line_spans(self) -> Iterator[LineSpan]:
        for y, strips in enumerate(self.strips, self.region.y):
            yield LineSpan(Region(0, y, self.region.width, 1), Strip.join(strips), is_full_line=True)


class WidgetSpan(NamedTuple):
    """Cells of one widget on line `y` from column `x` on."""

    x: int
    y: int
    strip: Strip


class PartialDiffUpdate(DiffUpdate):
    """Update of dirty cells."""

    def __init__(self, spans: Sequence[WidgetSpan], buffer: ScreenBuffer) -> None:
        super().__init__(buffer)
        self.spans = spans

    def line_spans(self) -> Iterator[LineSpan]:
        for x, y, strip in self.spans:
            yield LineSpan(Region(x, y, strip.cell_length, 1), strip)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for piece in self.spans:
            yield from piece.strip


def _safe_start_column(strip: Strip, column: int) -> int:
    """Return `column`, or the first of its segment where a wide character could be split."""
    start = 0
    for segment in strip:
        following = start + segment.cell_length
        if following > column:
            return column if segment.text.isascii() else start
        start = following
    return start


class _VisibleSpan(NamedTuple):
    """Columns of one line in which a widget is visible, and the region of the widget."""

    widget: Widget
    region: Region
    left: int
    right: int


class DiffCompositor(Compositor):
    """Textual's compositor with updates of what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ScreenBuffer()
        self._visible_spans: dict[int, list[_VisibleSpan]] = {}
        self._visible_spans_cuts: list[list[int]] | None = None

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

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        return FullDiffUpdate(super().render_full_update(simplify), self.buffer)

    def render_partial_update(self) -> PartialDiffUpdate | None:  # type: ignore[override]
        screen = self.size.region
        dirty = [part for region in self._dirty_regions if (part := region.intersection(screen))]
        self._dirty_regions.clear()
        spans = list(self._regions_to_spans(dirty))
        return PartialDiffUpdate(list(self._dirty_spans(spans)), self.buffer) if spans else None

    def defer(self, regions: Iterable[Region]) -> None:
        """Write these cells with the next update."""
        self._dirty_regions.update(regions)

    def _dirty_spans(self, spans: Iterable[tuple[int, int, int]]) -> Iterator[WidgetSpan]:
        wanted = [
            (seen, y, x1, x2)
            for y, x1, x2 in spans
            for seen in self._spans_on_line(y)
            if seen.left < x2 and seen.right > x1
        ]
        lines: dict[Widget, tuple[Region, set[int]]] = {}
        for seen, y, _, _ in wanted:
            lines.setdefault(seen.widget, (seen.region, set()))[1].add(y)
        strips = {widget: _render_lines(widget, region, ys) for widget, (region, ys) in lines.items()}
        for seen, y, x1, x2 in wanted:
            strip, at = strips[seen.widget][y], seen.region.x
            start = max(seen.left, at + _safe_start_column(strip, max(x1, seen.left) - at))
            yield WidgetSpan(start, y, strip.crop(start - at, min(x2, seen.right) - at))

    def _spans_on_line(self, y: int) -> list[_VisibleSpan]:
        """Return the visible spans of a line, which change with the layout only."""
        cuts = self.cuts
        if cuts is not self._visible_spans_cuts:
            self._visible_spans_cuts = cuts
            self._visible_spans.clear()
        known = self._visible_spans.get(y)
        if known is None:
            known = self._visible_spans[y] = list(self._find_visible_spans(y, cuts[y]))
        return known

    def _find_visible_spans(self, y: int, cuts: Sequence[int]) -> Iterator[_VisibleSpan]:
        here = [
            (widget, region, part)
            for widget, (region, clip) in self.visible_widgets.items()
            if (part := region.intersection(clip)) and part.y <= y < part.bottom
        ]
        for left, right in itertools.pairwise(cuts):
            for widget, region, part in here:
                if part.x <= left and right <= part.right:
                    yield _VisibleSpan(widget, region, left, right)
                    break


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

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(name, id, classes)
        self._compositor: DiffCompositor = DiffCompositor()
        self._was_covered = False

    def paint_now(self, widget: Widget) -> None:
        """Paint the dirty cells of a widget at once, unless the whole screen is about to change.

        Textual's way, by a message to the screen and a timer, waits for all messages before it.
        """
        if not self.is_current or self.app._batch_count or self._layout_required or self._repaint_required:
            return
        self._compositor.update_widgets({widget})
        self._compositor_refresh()

    def on_mount(self) -> None:
        self.app.app_resume_signal.subscribe(self, lambda _: self.invalidate_buffer())

    def on_unmount(self) -> None:
        """Unsubscribe: the signal would keep the screen and all its lines in memory."""
        self.app.app_resume_signal.unsubscribe(self)

    def on_screen_suspend(self) -> None:
        self._was_covered = True

    def on_screen_resume(self) -> None:
        if self._was_covered:
            self._was_covered = False
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

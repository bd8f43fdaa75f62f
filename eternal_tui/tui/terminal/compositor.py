"""Updates that render and write the changed cells alone, and nothing that stands on the terminal already.

Textual 8.2.8 keeps dirty regions by column, yet it renders in full every widget that any of them might touch, and
writes each dirty line from the left edge of the widget on: 1,200 bytes for one digit at the right end of a row. And it
writes the whole screen again at every change of its layout: four times within a start. Here the dirty lines of the
widgets they belong to are rendered and no others, a line is written from the segment in which the change begins, and
only where it differs from what was written before. The classes stand on names that Textual keeps to itself; it is
pinned, and the tests count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

MANY_COLOURED = 48
"""Segments of a line beyond which it is taken for one of a picture: words side by side have a dozen or two."""


class Written:
    """The lines of the terminal as they were last written, as far as they are known."""

    def __init__(self) -> None:
        self._lines: dict[int, Strip] = {}
        self._touched: list[Region] = []

    def take_touched(self) -> list[Region]:
        """Return the cells written since this was asked last."""
        touched, self._touched = self._touched, []
        return touched

    def forget(self) -> None:
        """Know nothing any more: somebody else has written, or the terminal has changed its size."""
        self._lines.clear()

    def line(self, y: int, new: Strip, console: Console) -> str:
        """Return what must be written for line `y` to read `new`."""
        old = self._lines.get(y)
        self._lines[y] = new
        if old is None or old.cell_length != new.cell_length:
            return self._at(0, y, new, console)
        if old == new:
            return ""
        start, end = _differing(old, new)
        return self._at(start, y, new.crop(start, end), console)

    def part(self, x: int, y: int, new: Strip, console: Console) -> str:
        """Return what must be written for the cells of line `y` from `x` on to read `new`."""
        old, end = self._lines.get(y), x + new.cell_length
        if old is None or end > old.cell_length:
            self._lines.pop(y, None)
            return self._at(x, y, new, console)
        before = old.crop(x, end)
        if before == new:
            return ""
        self._lines[y] = Strip.join([old.crop(0, x), new, old.crop(end)])
        first, last = _differing(before, new)
        return self._at(x + first, y, new.crop(first, last), console)

    def _at(self, x: int, y: int, strip: Strip, console: Console) -> str:
        self._touched.append(Region(x, y, strip.cell_length, 1))
        return f"\x1b[{y + 1};{x + 1}H{strip.render(console)}"


def _differing(old: Strip, new: Strip) -> tuple[int, int]:
    """Return the columns between which two lines of one length differ, each at the edge of a segment of `new`."""
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


def touched_by(update: RenderableType) -> list[Region]:
    """Return the cells that an update wrote on the terminal."""
    if isinstance(update, ScreenUpdate | CellUpdate):
        return update.written.take_touched()
    if isinstance(update, ChopsUpdate):
        return [Region(start, y, end - start, 1) for y, start, end in update.spans]
    return [update.region] if isinstance(update, LayoutUpdate) else []


class Part(NamedTuple):
    """Cells of one line to be written; `whole` tells that they are all of it."""

    region: Region
    strip: Strip
    whole: bool = False

    @property
    def many_coloured(self) -> bool:
        """Whether it is a line of a picture rather than words."""
        return len(self.strip._segments) > MANY_COLOURED


class PartialUpdate(CompositorUpdate):
    """Writes lines of the screen, or of them what `room` takes, words first: None is no limit."""

    room: int | None = None

    def __init__(self, written: Written) -> None:
        self.written = written
        self._left: list[Region] | None = None

    def parts(self) -> Iterable[Part]:
        """Return what is to be written, from the top."""
        raise NotImplementedError

    def left_over(self) -> list[Region]:
        """Return the cells that were not written."""
        return [part.region for part in self.parts()] if self._left is None else self._left

    def render_segments(self, console: Console) -> str:
        """Return the update as what is sent to the terminal."""
        self._left = []
        if self.room is None:
            return "".join(self._told(part, console) for part in self.parts())
        told, length = [], 0
        for part in sorted(self.parts(), key=lambda part: part.many_coloured):
            if length >= self.room:
                self._left.append(part.region)
                continue
            told.append(self._told(part, console))
            length += len(told[-1])
        return "".join(told)

    def _told(self, part: Part, console: Console) -> str:
        (x, y), strip = part.region.offset, part.strip
        return self.written.line(y, strip, console) if part.whole else self.written.part(x, y, strip, console)


class ScreenUpdate(PartialUpdate, LayoutUpdate):
    """Writes the lines of the screen that differ from what was written before."""

    def __init__(self, update: LayoutUpdate, written: Written) -> None:
        PartialUpdate.__init__(self, written)
        LayoutUpdate.__init__(self, update.strips, update.region)

    def parts(self) -> Iterator[Part]:
        """Yield whole lines."""
        for y, strips in enumerate(self.strips, self.region.y):
            yield Part(Region(0, y, self.region.width, 1), Strip.join(strips), whole=True)


class Piece(NamedTuple):
    """Cells of one line that belong to one widget: the columns from `x` on that `strip` fills."""

    x: int
    y: int
    strip: Strip


class CellUpdate(PartialUpdate):
    """Writes the dirty cells of the screen."""

    def __init__(self, pieces: Sequence[Piece], written: Written) -> None:
        super().__init__(written)
        self.pieces = pieces

    def parts(self) -> Iterator[Part]:
        """Yield the pieces."""
        for x, y, strip in self.pieces:
            yield Part(Region(x, y, strip.cell_length, 1), strip)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments that changed, for whoever looks on."""
        for piece in self.pieces:
            yield from piece.strip


def _clean_start(strip: Strip, column: int) -> int:
    """Return the column to write from so that no wide character is cut in two: this one, or its segment's first."""
    start = 0
    for segment in strip:
        following = start + segment.cell_length
        if following > column:
            return column if segment.text.isascii() else start
        start = following
    return start


class _Seen(NamedTuple):
    """Columns of one line in which a widget is seen, and where that widget stands."""

    widget: Widget
    region: Region
    left: int
    right: int


class CellCompositor(Compositor):
    """Textual's compositor with updates that keep to what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = Written()
        self._seen: dict[int, list[_Seen]] = {}
        self._seen_for: list[list[int]] | None = None

    def _get_renders(self, crop: Region | None = None) -> Iterator[tuple[Region, Region, list[Strip]]]:
        """Have the widgets rendered, from the foremost to the last; of each only the lines of which anything is seen.

        Textual renders panes in full under what fills them: more than half of the lines of this program's screen.
        """
        cuts = self.cuts
        taken: list[set[int]] = [set() for _ in cuts]
        for widget, (region, clip) in self.visible_widgets.items():
            part = region.intersection(clip if crop is None else clip.intersection(crop))
            seen = []
            for y in part.line_range if part.width else ():
                mine = [cut for cut in cuts[y] if part.x <= cut < part.right]
                if not taken[y].issuperset(mine):
                    taken[y].update(mine)
                    seen.append(y)
            for run in _runs(seen):
                lines = Region(part.x, run[0], part.width, len(run))
                yield region, lines, widget.render_lines(lines.translate(-region.offset))

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """Return an update of the whole screen."""
        return ScreenUpdate(super().render_full_update(simplify), self.written)

    def render_partial_update(self) -> CellUpdate | None:  # type: ignore[override]
        """Return an update of what changed, or None."""
        screen = self.size.region
        dirty = [part for region in self._dirty_regions if (part := region.intersection(screen))]
        self._dirty_regions.clear()
        spans = list(self._regions_to_spans(dirty))
        return CellUpdate(list(self._pieces(spans)), self.written) if spans else None

    def owe(self, regions: Iterable[Region]) -> None:
        """Paint these cells with the next update: they were left out of the last."""
        self._dirty_regions.update(regions)

    def _pieces(self, spans: Iterable[tuple[int, int, int]]) -> Iterator[Piece]:
        wanted = [
            (seen, y, x1, x2) for y, x1, x2 in spans for seen in self._line(y) if seen.left < x2 and seen.right > x1
        ]
        lines: dict[Widget, tuple[Region, set[int]]] = {}
        for seen, y, _, _ in wanted:
            lines.setdefault(seen.widget, (seen.region, set()))[1].add(y)
        strips = {widget: _rendered(widget, region, ys) for widget, (region, ys) in lines.items()}
        for seen, y, x1, x2 in wanted:
            strip, at = strips[seen.widget][y], seen.region.x
            start = max(seen.left, at + _clean_start(strip, max(x1, seen.left) - at))
            yield Piece(start, y, strip.crop(start - at, min(x2, seen.right) - at))

    def _line(self, y: int) -> list[_Seen]:
        """Return what is seen on a line; it is the same until the layout changes."""
        cuts = self.cuts
        if cuts is not self._seen_for:
            self._seen_for = cuts
            self._seen.clear()
        known = self._seen.get(y)
        if known is None:
            known = self._seen[y] = list(self._look_up(y, cuts[y]))
        return known

    def _look_up(self, y: int, cuts: Sequence[int]) -> Iterator[_Seen]:
        here = [
            (widget, region, part)
            for widget, (region, clip) in self.visible_widgets.items()
            if (part := region.intersection(clip)) and part.y <= y < part.bottom
        ]
        for left, right in itertools.pairwise(cuts):
            for widget, region, part in here:
                if part.x <= left and right <= part.right:
                    yield _Seen(widget, region, left, right)
                    break


def _runs(lines: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers in pieces without a gap."""
    runs: list[list[int]] = []
    for y in lines:
        if runs and runs[-1][-1] == y - 1:
            runs[-1].append(y)
        else:
            runs.append([y])
    return runs


def _rendered(widget: Widget, region: Region, lines: Iterable[int]) -> dict[int, Strip]:
    """Return lines of the screen as a widget that stands in `region` draws them; those on end in one go."""
    return {
        y: strip
        for run in _runs(sorted(lines))
        for y, strip in zip(run, widget.render_lines(Region(0, run[0] - region.y, region.width, len(run))), strict=True)
    }


class CellScreen(Screen[None]):
    """A screen that draws through a CellCompositor."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(name, id, classes)
        self._compositor: CellCompositor = CellCompositor()
        self._covered = False

    def paint(self, widget: Widget) -> None:
        """Paint at once what is dirty on a widget, unless the whole screen is about to change.

        The usual way, through a message to the screen and a timer, waits for everything else that wants to be done.
        """
        if not self.is_current or self.app._batch_count or self._layout_required or self._repaint_required:
            return
        self._compositor.update_widgets({widget})
        self._compositor_refresh()

    def on_mount(self) -> None:
        """Draw everything anew after the terminal was somebody else's."""
        self.app.app_resume_signal.subscribe(self, lambda _: self.forget_written())

    def on_unmount(self) -> None:
        """Listen to nothing more: a signal holds who listens to it, and a screen all it has drawn."""
        self.app.app_resume_signal.unsubscribe(self)

    def on_screen_suspend(self) -> None:
        """Note that another screen will be drawn over this one."""
        self._covered = True

    def on_screen_resume(self) -> None:
        """Draw everything anew over the screen that was on top."""
        if self._covered:
            self._covered = False
            self.forget_written()

    def forget_written(self) -> None:
        """Believe nothing any more of what stands on the terminal."""
        self._compositor.written.forget()


def draw_anew(screen: Screen[Any]) -> None:
    """Have every cell of a screen written again, whatever stands on the terminal."""
    if isinstance(screen, CellScreen):
        screen.forget_written()
    screen.refresh()

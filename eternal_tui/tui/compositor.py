"""Updates that write the changed cells alone, and nothing that stands on the terminal already.

Textual 8.2.8 keeps dirty regions by column, yet `ChopsUpdate.render_segments` writes each dirty line from the left edge
of the widget on: 1,200 bytes for one digit at the right end of a row. And it writes the whole screen again at every
change of its layout: four times within a start. Here a line is written from the segment in which the change begins,
and only where it differs from what was written before. The classes stand on names that Textual keeps to itself; it
is pinned, and the tests count.
"""

from __future__ import annotations

from rich.console import Console, RenderableType
from textual import events
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip


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
        elif old.crop(x, end) == new:
            return ""
        else:
            self._lines[y] = Strip.join([old.crop(0, x), new, old.crop(end)])
        return self._at(x, y, new, console)

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


class ScreenUpdate(LayoutUpdate):
    """Writes the lines of the screen that differ from what was written before."""

    def __init__(self, update: LayoutUpdate, written: Written) -> None:
        super().__init__(update.strips, update.region)
        self.written = written

    def render_segments(self, console: Console) -> str:
        """Return the update as what is sent to the terminal."""
        lines = enumerate(self.strips, self.region.y)
        return "".join(self.written.line(y, Strip.join(strips), console) for y, strips in lines)


class CellUpdate(ChopsUpdate):
    """Writes the dirty spans of the screen, each from the start of its first segment."""

    def __init__(self, update: ChopsUpdate, written: Written) -> None:
        super().__init__(update.chops, update.spans, update.chop_ends)
        self.written = written

    def render_segments(self, console: Console) -> str:
        """Return the update as what is sent to the terminal."""
        written: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = x + _segment_start(strip, x1 - x)
                part = strip.crop(start - x, min(end, x2) - x)
                written.append(self.written.part(start, y, part, console))
        return "".join(written)


def _segment_start(strip: Strip, column: int) -> int:
    """Return where the segment over `column` starts: between segments no wide character can be cut in two."""
    start = 0
    for segment in strip:
        following = start + segment.cell_length
        if following > column:
            return start
        start = following
    return start


class CellCompositor(Compositor):
    """Textual's compositor with updates that keep to what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = Written()

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """Return an update of the whole screen."""
        return ScreenUpdate(super().render_full_update(simplify), self.written)

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return an update of what changed, or None."""
        update = super().render_partial_update()
        return update and CellUpdate(update, self.written)


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
        self._terminal_size = Size(0, 0)
        self._covered = False

    def on_mount(self) -> None:
        """Draw everything anew after the terminal was somebody else's."""
        self.app.app_resume_signal.subscribe(self, lambda _: self._compositor.written.forget())

    def draw_anew(self) -> None:
        """Write every cell again, whatever is believed to stand on the terminal."""
        self._compositor.written.forget()
        self.refresh()

    def on_screen_suspend(self) -> None:
        """Note that another screen will be drawn over this one."""
        self._covered = True

    def on_screen_resume(self) -> None:
        """Draw everything anew over the screen that was on top."""
        if self._covered:
            self._covered = False
            self._compositor.written.forget()

    def on_resize(self, event: events.Resize) -> None:
        """Draw everything anew where the terminal has moved it."""
        before, self._terminal_size = self._terminal_size, event.size
        if before and before != event.size:
            self._compositor.written.forget()

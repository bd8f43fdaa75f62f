"""Preview: the JSON body of one request, or the numbered requests of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.api.curl import to_json
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import sanitize


class Preview(ScrollView, can_focus=True):
    """Wraps one request into the room there is, leaving out its middle; a batch has a row for each request."""

    DEFAULT_CSS = """
    Preview {
        height: 3; width: 1fr; color: $text-muted; background: transparent; border-left: blank;
        scrollbar-size-vertical: 1; overflow-x: hidden;
        &:focus { border-left: outer $accent; }
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._requests: Sequence[GenerateRequest] = ()
        self._names: Sequence[str] = ()
        self._rows: list[str] = []

    def set_requests(self, requests: Sequence[GenerateRequest], names: Sequence[str]) -> None:
        """Draw the requests; costs a repaint of these cells and no layout."""
        if (requests, names) != (self._requests, self._names):
            self._requests, self._names = requests, names
            self._update_rows()

    def on_resize(self, _event: events.Resize) -> None:
        self._update_rows()

    def _update_rows(self) -> None:
        width, height = max(1, self.scrollable_content_region.width), max(1, self.size.height)
        if len(self._requests) == 1:
            # Cut first and sanitize after: sanitize looks at every character.
            self._rows = [sanitize(row) for row in fit_rows(to_json(self._requests[0]), width, height)]
        else:
            self._rows = batch_rows(self._requests, self._names, width, height)
        self.virtual_size = Size(width, len(self._rows))
        # Tab stops here only where there is something to scroll to.
        self.can_focus = len(self._rows) > height
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        text = self._rows[row] if row < len(self._rows) else ""
        width = self.scrollable_content_region.width
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(width, self.rich_style)


def batch_rows(requests: Sequence[GenerateRequest], names: Sequence[str], width: int, height: int) -> list[str]:
    """Return the numbered requests, each in as many rows as all of them have room for."""
    per_request = max(1, height // max(1, len(requests)))
    indent = len(str(len(requests))) + 1
    room = max(1, width - indent)
    rows = []
    for number, (request, name) in enumerate(zip(requests, names, strict=True), start=1):
        lines = chop_cells(describe_request(request, name, room * per_request), room)
        if len(lines) > per_request:
            lines[per_request - 1] = f"{set_cell_size(lines[per_request - 1], room - 1)}…"
        rows += [
            f"{number if not place else '':>{indent - 1}} {line}" for place, line in enumerate(lines[:per_request])
        ]
    return rows


def describe_request(request: GenerateRequest, name: str, limit: int) -> str:
    """Return a request in one line: what differs within a batch first."""
    settings = " high" if request.quality == "high" else ""
    if request.type == "video":
        settings = f" {request.duration} s{' silent' if request.audio is False else ''}"
    prompt = " ".join(request.prompt[: limit * 2].split())
    return sanitize(" · ".join((name or request.character, f"{request.type}{settings}", prompt)), limit=limit * 2)


def fit_rows(text: str, width: int, height: int) -> list[str]:
    """Wrap a text to `width` cells in at most `height` rows, leaving out its middle."""
    # Wide characters may leave a cell empty at the end of a row, hence the second condition.
    if cell_len(text) <= width * height and len(rows := chop_cells(text, width)) <= height:
        return rows
    # The end has the settings, where a mistake costs money: it gets the last row and a half.
    room = width * height - height - 3
    if room < 4:
        return chop_cells(text, width)[:height]
    tail = _tail(text, min(room // 2, width + width // 2))
    head = set_cell_size(text[:room], max(0, room - cell_len(tail))).rstrip()
    return chop_cells(f"{head} … {tail}", width)[:height]


def _tail(text: str, columns: int) -> str:
    start = max(0, len(text) - columns)
    while cell_len(text[start:]) > columns:
        start += 1
    return text[start:]
